package snapshot_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine/snapshot"
)

// A flood is a stream that is made while it is read.
func flood(t *testing.T, write func(*tar.Writer) error) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { r.Close() })
	go func() {
		out := tar.NewWriter(w)
		w.CloseWithError(errors.Join(write(out), out.Flush()))
	}()
	return r
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// Of a stream that does not end, no more is written than a snapshot may have, and
// no more is read than it takes to know.
func TestFloods(t *testing.T) {
	limits := snapshot.Limits{Bytes: 2 << 20, Entries: 15_000}
	many := func(typ byte, name string) func(*tar.Writer) error {
		return func(w *tar.Writer) error {
			for i := range 1_000_000 {
				if err := w.WriteHeader(&tar.Header{Typeflag: typ, Name: fmt.Sprintf(name, i), Linkname: "target"}); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, test := range []struct {
		name  string
		write func(*tar.Writer) error
	}{
		{"file of 10 GB", func(w *tar.Writer) error {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "w/big", Size: 10 << 30}); err != nil {
				return err
			}
			_, err := io.CopyN(w, rand.NewChaCha8([32]byte{}), 10<<30)
			return err
		}},
		{"10 GB in files of a megabyte", func(w *tar.Writer) error {
			random := rand.NewChaCha8([32]byte{})
			for i := range 10 << 10 {
				if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("w/%d", i), Size: 1 << 20}); err != nil {
					return err
				}
				if _, err := io.CopyN(w, random, 1<<20); err != nil {
					return err
				}
			}
			return nil
		}},
		{"a million files", many(tar.TypeReg, "w/%d")},
		{"a million links", many(tar.TypeSymlink, "w/%d")},
		{"a million pipes", many(tar.TypeFifo, "w/%d")},
		{"a million odd names", many(tar.TypeReg, "w/\x1b%d")},
		{"a million long names", many(tar.TypeReg, "w/"+strings.Repeat("long/", 1000)+"%d")},
	} {
		var written counter
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		left, err := snapshot.Clean(flood(t, test.write), &written, limits)
		runtime.GC()
		runtime.ReadMemStats(&after)
		t.Logf("%s | %v; %d bytes written", test.name, err, written)
		if !errors.Is(err, snapshot.ErrTooLarge) {
			t.Errorf("%s: got %v, want %v", test.name, err, snapshot.ErrTooLarge)
		}
		if most := counter(limits.Bytes) + counter(limits.Entries)*1024; written > most {
			t.Errorf("%s: %d bytes were written, at most %d are right", test.name, written, most)
		}
		if len(left) > 51 {
			t.Errorf("%s: %d lines of what is left out", test.name, len(left))
		}
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
			t.Errorf("%s: holds %d bytes", test.name, grown)
		}
	}
}
