package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// The table of signals: how far each sequence goes, and with which status.
func TestStages(t *testing.T) {
	const hup, intr, quit, term = syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM
	for name, test := range map[string]struct {
		signals []os.Signal
		signal  int // of the context
		killed  bool
		exit    int
		dump    bool
	}{
		"none":                {nil, 0, false, 0, false},
		"first":               {[]os.Signal{intr}, 2, false, 0, false},
		"second":              {[]os.Signal{intr, term}, 2, true, 0, false},
		"third":               {[]os.Signal{intr, intr, term}, 2, true, 143, false},
		"hangup is SIGTERM":   {[]os.Signal{hup}, 15, false, 0, false},
		"quit is second":      {[]os.Signal{quit}, 3, true, 0, true},
		"quit after first":    {[]os.Signal{term, quit}, 15, true, 0, true},
		"third after quit":    {[]os.Signal{quit, hup}, 3, true, 143, true},
		"quit may come third": {[]os.Signal{term, term, quit}, 15, true, 131, true},
	} {
		t.Run(name, func(t *testing.T) {
			signals := make(chan os.Signal)
			var talk, log bytes.Buffer
			exit := 0
			f := &follower{signals: signals, talk: &talk, log: &log, exit: func(code int) { exit = code }}
			s := f.start(context.Background())
			for _, next := range test.signals {
				signals <- next
			}
			s.stop()
			if got := signalOf(s.ctx); got != test.signal || exit != test.exit {
				t.Errorf("got signal %d and exit status %d, want %d and %d", got, exit, test.signal, test.exit)
			}
			killed := false
			select {
			case <-s.kill:
				killed = true
			default:
			}
			if killed != test.killed || strings.Contains(talk.String(), "Killing; ") != test.killed {
				t.Errorf("killed is %v, want %v; it said %q", killed, test.killed, talk.String())
			}
			if dump := strings.Contains(log.String(), "TestStages"); dump != test.dump {
				t.Errorf("dump is %v, want %v: %q", dump, test.dump, log.String())
			}
		})
	}
}

// A stream that nobody reads any more costs nothing but itself.
func TestQuietPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	q := quiet(w)
	if f, ok := fileOf(q); !ok || f != w {
		t.Error("the file is hidden")
	}
	if _, err := q.Write([]byte("heard")); err != nil {
		t.Fatal(err)
	}
	heard := make([]byte, 5)
	if _, err := r.Read(heard); err != nil || string(heard) != "heard" {
		t.Errorf("got %q, %v", heard, err)
	}
	r.Close()
	for range 2 {
		if n, err := q.Write([]byte("lost")); n != 4 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	}
	w.Close()
	if _, err := quiet(w).Write([]byte("lost")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("trouble of another kind gave %v", err)
	}
}
