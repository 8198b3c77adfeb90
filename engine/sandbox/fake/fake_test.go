package fake_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
)

// What a test with the fake shows of stopping is what real drivers do.
func TestStops(t *testing.T) {
	d := &fake.Driver{Program: func(ctx context.Context, _ *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		fmt.Fprintln(cmd.Stdout, "ready")
		<-ctx.Done()
		if cmd.Args[2] == sandboxtest.Polite && cmd.GraceAfter(ctx) > 0 {
			fmt.Fprintln(cmd.Stdout, "bye")
			return sandbox.Exit{}, ctx.Err()
		}
		<-cmd.Kill
		return sandbox.Exit{}, ctx.Err()
	}}
	sandboxtest.Stops(t, d, "none")
	t.Cleanup(func() {
		if now, _ := d.Open(); now != 0 {
			t.Errorf("%d sandboxes are open", now)
		}
	})
}
