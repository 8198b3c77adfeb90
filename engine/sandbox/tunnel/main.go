package tunnel

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
)

// Command is the first argument of a process that is to be the side inside; the
// second one is the address to listen at.
const Command = "--tunnel-inside"

// threads is how many threads the process makes before anything else runs.
const threads = 6

// memory is what the process tries to get by with, in bytes.
const memory = 48 << 20

// Main is the side inside as a whole process, on its standard input and output.
// It returns the exit status.
//
// It shares its bounds with what may want to be rid of it, or to speak for it. So
// it takes no notice of polite signals; nobody can trace it, or open its files in
// /proc, not even its own user; and it has its threads from the start, since there
// may be no room for new ones later.
func Main(addr string) int {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	if err := untraceable(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	runtime.GOMAXPROCS(min(2, runtime.GOMAXPROCS(0)))
	debug.SetMemoryLimit(memory)
	makeThreads(threads)
	in, err := polled(os.Stdin)
	if err == nil {
		var out *os.File
		if out, err = polled(os.Stdout); err == nil {
			err = Inside(in, out, addr)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// makeThreads makes threads, which the runtime keeps.
func makeThreads(n int) {
	var there, gone sync.WaitGroup
	there.Add(n)
	release := make(chan struct{})
	for range n {
		gone.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			there.Done()
			<-release
		})
	}
	there.Wait()
	close(release)
	gone.Wait()
}
