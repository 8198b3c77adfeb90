// Command probe is a program for tests to run in a sandbox: it tries one thing,
// and says on its standard output what came of it.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience bounds whatever may never be answered.
const patience = 3 * time.Second

var commands = map[string]func(args ...string) error{
	"get": get, "stream": stream, "parallel": parallel, "repeat": repeat, "upload": upload, "download": download, "connect": connect, "hold": hold,
	"dial": dial, "lookup": lookup, "write": write, "signal": signal, "trace": trace, "find": find, "bind": bind, "serve": serve,
}

func main() {
	if err := commands[os.Args[1]](os.Args[2:]...); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

var client = &http.Client{Transport: &http.Transport{
	Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 64, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
}}

// get URL prints a status and a body. It uses the proxy of the environment.
func get(args ...string) error {
	resp, err := client.Get(args[0])
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Printf("%d %s\n", resp.StatusCode, strings.TrimSpace(string(body)))
	return err
}

// stream URL asks for each line after the first with a request of its own.
func stream(args ...string) error {
	resp, err := client.Get(args[0])
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		fmt.Println(lines.Text())
		if _, err := client.Post(args[0], "", nil); err != nil {
			return err
		}
	}
	return nil
}

// parallel N URL makes N requests at once.
func parallel(args ...string) error {
	n, _ := strconv.Atoi(args[0])
	errs := make(chan error, n)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			resp, err := client.Get(args[1])
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			errs <- err
		})
	}
	wg.Wait()
	for range n {
		if err := <-errs; err != nil {
			return err
		}
	}
	fmt.Println("all", n)
	return nil
}

// repeat K N URL makes N requests, K at once.
func repeat(args ...string) error {
	k, _ := strconv.Atoi(args[0])
	n, _ := strconv.Atoi(args[1])
	each := strconv.Itoa(n/k + 1)
	errs := make(chan error, k)
	for range k {
		go func() { errs <- download(each, args[2]) }()
	}
	for range k {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// upload BYTES URL prints the answer.
func upload(args ...string) error {
	size, _ := strconv.ParseInt(args[0], 10, 64)
	req, err := http.NewRequest("POST", args[1], io.LimitReader(zeros{}, size))
	if err != nil {
		return err
	}
	req.ContentLength = size
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(os.Stdout, resp.Body)
	return err
}

// download N URL gets a URL N times, and prints how many bytes came.
func download(args ...string) error {
	n, _ := strconv.Atoi(args[0])
	var total int64
	for range n {
		resp, err := client.Get(args[1])
		if err != nil {
			return err
		}
		size, err := io.Copy(io.Discard, resp.Body)
		if err != nil {
			return err
		}
		resp.Body.Close()
		total += size
	}
	fmt.Println(total)
	return nil
}

// connect ADDR TARGET TEXT sends a text through CONNECT, and prints all that comes.
func connect(args ...string) error {
	c, err := net.Dial("tcp", args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n%s", args[1], args[2])
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, c)
	return err
}

// hold N ADDR opens connections, says so, and does nothing with them.
func hold(args ...string) error {
	n, _ := strconv.Atoi(args[0])
	var held []net.Conn
	for range n {
		if c, err := net.DialTimeout("tcp", args[1], patience); err == nil {
			held = append(held, c)
		}
	}
	fmt.Println("holds", len(held))
	time.Sleep(time.Hour)
	return held[0].Close()
}

// dial NETWORK ADDR prints whether anything is reached. Over UDP, that takes an
// answer.
func dial(args ...string) error {
	c, err := net.DialTimeout(args[0], args[1], patience)
	if err != nil {
		return err
	}
	defer c.Close()
	if strings.HasPrefix(args[0], "udp") {
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write([]byte("hello")); err != nil {
			return err
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			return err
		}
	}
	fmt.Println("reached")
	return nil
}

// lookup NAME [SERVER] resolves a name.
func lookup(args ...string) error {
	r := &net.Resolver{PreferGo: true}
	if len(args) > 1 {
		r.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, args[1])
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found, err := r.LookupHost(ctx, args[0])
	if err != nil {
		return err
	}
	fmt.Println("reached", found)
	return nil
}

// write FILE writes into a file that is there.
func write(args ...string) error {
	f, err := os.OpenFile(args[0], os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write([]byte("hello")); err != nil {
		return err
	}
	fmt.Println("reached")
	return nil
}

// signal PID NUMBER sends a signal.
func signal(args ...string) error {
	pid, _ := strconv.Atoi(args[0])
	number, _ := strconv.Atoi(args[1])
	if err := syscall.Kill(pid, syscall.Signal(number)); err != nil {
		return err
	}
	fmt.Println("reached")
	return nil
}

// trace PID attaches to a process.
func trace(args ...string) error {
	pid, _ := strconv.Atoi(args[0])
	if err := syscall.PtraceAttach(pid); err != nil {
		return err
	}
	fmt.Println("reached")
	return nil
}

// bind ADDR listens where somebody else may listen already.
func bind(args ...string) error {
	share := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, 0xf /* SO_REUSEPORT */, 1)
		})
	}}
	l, err := share.Listen(context.Background(), "tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Println("reached")
	return l.Close()
}

// serve ADDR answers all requests.
func serve(args ...string) error {
	return http.ListenAndServe(args[0], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "reached") }))
}

// find WORD prints the number of the process that has an argument.
func find(args ...string) error {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, d := range dirs {
		line, _ := os.ReadFile("/proc/" + d.Name() + "/cmdline")
		if _, err := strconv.Atoi(d.Name()); err == nil && d.Name() != strconv.Itoa(os.Getpid()) && strings.Contains(string(line), args[0]) {
			fmt.Println(d.Name())
			return nil
		}
	}
	return fmt.Errorf("no process has %s", args[0])
}
