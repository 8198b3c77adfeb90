package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ml-dev-bench/bench/engine/sandbox/local"
)

var update = flag.Bool("update", false, "rewrite the golden sections of the scripts")

// The test binary is bench itself when a script calls it by that name.
func TestMain(m *testing.M) {
	local.Main()
	testscript.Main(m, map[string]func(){"bench": main})
}

// TestScript runs testdata/script/*.txtar, each named <command>_<aspect>. To the
// commands of testscript it adds:
//
//	exit N CMD...          CMD ends with exactly this status; its output can be matched
//	eventually CMD...      CMD succeeds within 30 seconds
//	static FILE            FILE becomes bench as it is released: a static executable
//	scrub FILE...          durations become TIME, hexadecimal digests HEX, in place
//	serve DIR              a server at https://127.0.0.1 that bench trusts gives the files
//	                       of DIR; the variable "server" of benchfiles is its address,
//	                       and the file requests lists what it was asked for
//	[!] nothing-left       what this script's bench made on the Docker engine is gone;
//	                       with "!", waits up to 30 seconds until something runs there
//
// Scripts named apply_*, clean_*, doctor_* and test_* need a Docker engine, and fail
// without one. The condition [local] is that this machine can keep local sandboxes.
func TestScript(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) { // as by nohup; commands inherit that, but not that somebody waits for one
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition:           condition,
		Setup:               setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exit":         cmdExit,
			"eventually":   cmdEventually,
			"static":       cmdStatic,
			"scrub":        cmdScrub,
			"serve":        cmdServe,
			"provider":     cmdProvider,
			"nothing-left": cmdNothingLeft,
		},
	})
}

// condition knows "local". Where everything is to be tested, it holds, or what
// relies on it fails.
func condition(name string) (bool, error) {
	if name != "local" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	d, err := local.Open(context.Background())
	if err != nil {
		return os.Getenv("CI") != "" || os.Getuid() == 0, nil
	}
	return true, d.Close()
}

// patience bounds what scripts wait for. Engines are slow on busy machines.
const patience = 30 * time.Second

// setUp gives a script an environment of its own: nothing of the caller's but
// PATH and where the Docker engine is.
func setUp(e *testscript.Env) error {
	home := filepath.Join(e.WorkDir, ".home")
	if err := os.Mkdir(home, 0o755); err != nil {
		return err
	}
	e.Setenv("HOME", home)
	e.Setenv("BENCH_STATE_DIR", filepath.Join(e.WorkDir, ".state"))
	for _, name := range []string{"DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "XDG_RUNTIME_DIR", "GOCOVERDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			e.Setenv(name, value)
		}
	}
	command, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(e.WorkDir), "script-"), "_")
	if !slices.Contains([]string{"apply", "clean", "doctor"}, command) {
		return nil
	}
	return withEngine(func(ctx context.Context, c *client.Client) error {
		_, err := c.Ping(ctx, client.PingOptions{})
		return err
	})
}

func withEngine(f func(context.Context, *client.Client) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := client.New(client.FromEnv)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := f(ctx, c); err != nil {
		return fmt.Errorf("this script needs a Docker engine: %w", err)
	}
	return nil
}

// cmdExit is exec for commands whose exit status matters, which is all of them
// here: testscript itself tells only failure from success.
func cmdExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit N command [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var status *exec.ExitError
		if !errors.As(err, &status) {
			ts.Fatalf("%v", err)
		}
		got = status.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s: got exit status %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func cmdEventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: eventually command [args...]")
	}
	holds := waitFor(func() bool { return ts.Exec(args[0], args[1:]...) == nil })
	if !holds {
		ts.Fatalf("%s: failed for %v", strings.Join(args, " "), patience)
	}
}

// cmdStatic is for scripts in which bench runs in its own sandboxes.
func cmdStatic(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: static file")
	}
	cmd := exec.Command("go", "build", "-o", ts.MkAbs(args[0]), ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("go build: %v\n%s", err, out)
	}
}

// waitFor polls: there is nobody who could tell.
func waitFor(holds func() bool) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return true
		}
	}
	return false
}

var (
	durationForm = regexp.MustCompile(`\b(\d+(\.\d+)?(ns|us|µs|ms|h|m|s))+\b`)
	digestForm   = regexp.MustCompile(`\b([0-9a-f]{64}|[0-9a-f]{12})\b`)
)

func cmdScrub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: scrub file...")
	}
	for _, arg := range args {
		file := ts.MkAbs(arg)
		text, err := os.ReadFile(file)
		ts.Check(err)
		text = digestForm.ReplaceAll(text, []byte("HEX"))
		text = durationForm.ReplaceAll(text, []byte("TIME"))
		ts.Check(os.WriteFile(file, text, 0o644))
	}
}

func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve dir")
	}
	log, err := os.Create(ts.MkAbs("requests"))
	ts.Check(err)
	files := http.FileServer(http.Dir(ts.MkAbs(args[0])))
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(log, r.URL.Path)
		files.ServeHTTP(w, r)
	}))
	ts.Defer(func() {
		server.Close()
		log.Close()
	})
	trust := ts.MkAbs(".server.pem")
	ts.Check(os.WriteFile(trust, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644))
	ts.Setenv("SSL_CERT_FILE", trust)
	ts.Setenv("BENCH_VAR_server", server.URL)
}

// cmdNothingLeft looks for what carries the owner label of this script's own
// state directory, so other processes on the same engine do not disturb it. A
// script that uses it should use "! nothing-left" while bench is at work: that
// shows that the label is looked for in the right way.
func cmdNothingLeft(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) > 0 {
		ts.Fatalf("usage: [!] nothing-left")
	}
	list := func() (left []string) {
		ts.Check(withEngine(func(ctx context.Context, c *client.Client) (err error) {
			left, err = leftovers(ctx, c, ownerOf(ts.Getenv("BENCH_STATE_DIR")))
			return err
		}))
		return left
	}
	if neg {
		if !waitFor(func() bool { return atWork(list()) }) {
			ts.Fatalf("bench started nothing on the engine in %v", patience)
		}
		return
	}
	if left := list(); len(left) > 0 {
		ts.Fatalf("left on the engine: %s", strings.Join(left, ", "))
	}
}

// ownerOf is the value of the label bench.owner, as engine/sandbox/docker makes it.
func ownerOf(state string) string {
	host, _ := os.Hostname()
	machine, _ := os.ReadFile("/etc/machine-id")
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s", host, machine, filepath.Join(state, "sessions")))
	return hex.EncodeToString(sum[:8])
}

// atWork reports whether a sandbox runs among what is there: a container that is
// only looked into is never started.
func atWork(left []string) bool {
	return slices.ContainsFunc(left, func(s string) bool { return strings.Contains(s, "(Up ") })
}

func leftovers(ctx context.Context, c *client.Client, owner string) ([]string, error) {
	filter := make(client.Filters).Add("label", "bench.owner="+owner)
	var out []string
	containers, err := c.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	for _, item := range containers.Items {
		out = append(out, fmt.Sprintf("container of %s (%s)", item.Labels["bench.trial"], item.Status))
	}
	if err != nil {
		return nil, err
	}
	networks, err := c.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	for _, item := range networks.Items {
		out = append(out, "network "+item.Name)
	}
	if err != nil {
		return nil, err
	}
	volumes, err := c.VolumeList(ctx, client.VolumeListOptions{Filters: filter})
	for _, item := range volumes.Items {
		out = append(out, "volume "+item.Name)
	}
	return out, err
}
