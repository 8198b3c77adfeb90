package main

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"golang.org/x/term"
)

// A quietPipe is a stream to somebody who may go while bench works: the reader
// of a pipe ("bench apply ... | head -1"), or a terminal that hangs up. After
// that nobody is told anything, and everything else goes on: what is measured
// costs money, and is wanted in the results whoever looks on.
type quietPipe struct {
	file     *os.File // not embedded: its other ways to write would pass by
	terminal bool     // found out early, since one that has hung up is none
	gone     atomic.Bool
}

// quiet makes a quietPipe of a file, and leaves any other writer as it is. A
// write to a pipe without a reader is no signal to this process from then on.
func quiet(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok {
		return w
	}
	// Not signal.Ignore, which the programs that bench starts would inherit.
	// Nobody reads the channel, and nothing waits for that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return &quietPipe{file: f, terminal: term.IsTerminal(int(f.Fd()))}
}

func (q *quietPipe) Write(p []byte) (int, error) {
	if q.gone.Load() {
		return len(p), nil
	}
	n, err := q.file.Write(p)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) && q.terminal {
		q.gone.Store(true)
		return len(p), nil
	}
	return n, err
}

// fileOf is the file behind a stream, for questions about it.
func fileOf(w io.Writer) (*os.File, bool) {
	if q, ok := w.(*quietPipe); ok {
		return q.file, true
	}
	f, ok := w.(*os.File)
	return f, ok
}
