package local

import (
	"errors"
	"io"
	"os"
	"sync"
)

// Streams carry the output of a command to its writers.
type streams struct {
	ends [2]*os.File // that the command writes to; the same one twice if it has one writer
	read []stream
	over chan struct{} // closed when everything has been written, after drain
}

type stream struct {
	from *os.File
	to   io.Writer
}

func newStreams(stdout, stderr io.Writer) (*streams, error) {
	s := &streams{over: make(chan struct{})}
	for i, w := range []io.Writer{stdout, stderr} {
		if i == 1 && same(stdout, stderr) {
			s.ends[1] = s.ends[0]
			break
		}
		r, end, err := os.Pipe()
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		if w == nil {
			w = io.Discard
		}
		s.ends[i], s.read = end, append(s.read, stream{r, w})
	}
	return s, nil
}

// same reports whether two writers are one.
func same(a, b io.Writer) (yes bool) {
	defer func() { _ = recover() }() // they may be of a type that cannot be compared
	return a == b
}

// drain starts to pass output on. The command has its ends by now.
func (s *streams) drain() {
	var wg sync.WaitGroup
	for _, from := range s.read {
		wg.Go(func() {
			defer from.from.Close()
			_, _ = io.Copy(from.to, from.from)
			_, _ = io.Copy(io.Discard, from.from) // if the writer has failed, the command is not to block
		})
	}
	for _, end := range s.ends {
		_ = end.Close()
	}
	go func() {
		wg.Wait()
		close(s.over)
	}()
}

func (s *streams) close() error {
	var all error
	for i, from := range s.read {
		all = errors.Join(all, from.from.Close(), s.ends[i].Close())
	}
	return all
}
