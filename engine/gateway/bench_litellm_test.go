//go:build unix

package gateway_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// The requests a second of the gateway and of the LiteLLM proxy, which do the same:
// pass small plain chat completions of 64 clients on to one provider. LiteLLM runs
// with one worker and with as many as there are processors, and the better of the
// two counts; of two measurements of the gateway, before and after, the worse one.
// Both check a key of their clients and add that of the provider. The gateway shares
// its process with the provider and the clients.
//
// It needs Python and PyPI once, to install LiteLLM:
//
//	BENCH_LITELLM="$(.ci/litellm)" go test -run '^$' -bench AgainstLiteLLM ./engine/gateway
//
// That is a part of make bench.
func BenchmarkAgainstLiteLLM(b *testing.B) {
	program := os.Getenv("BENCH_LITELLM")
	if program == "" {
		b.Skip("BENCH_LITELLM does not name a litellm program: set it to what .ci/litellm prints, or run make bench")
	}
	const warm, during = 3 * time.Second, 10 * time.Second
	s := newStub(b)
	ours := gatewayTo(b, s)
	measure := func(d door) float64 {
		d.load(b, atOnce, warm)
		return d.load(b, atOnce, during)
	}
	for b.Loop() {
		before := measure(ours)
		one := measureLiteLLM(b, program, s, 1, measure)
		all := measureLiteLLM(b, program, s, runtime.NumCPU(), measure)
		gateway := min(before, measure(ours))
		b.ReportMetric(one, "litellm-1-worker-req/s")
		b.ReportMetric(all, fmt.Sprintf("litellm-%d-workers-req/s", runtime.NumCPU()))
		b.ReportMetric(gateway, "gateway-req/s")
		b.ReportMetric(gateway/max(one, all), "times")
	}
}

// measureLiteLLM starts a proxy to a stub, measures it, and ends it.
func measureLiteLLM(b *testing.B, program string, s *stub, workers int, measure func(door) float64) float64 {
	b.Helper()
	dir, masterKey := b.TempDir(), "sk-"+rand.Text()
	config := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(`model_list:
  - model_name: model-1
    litellm_params:
      model: openai/model-1
      api_base: http://%s/v1
      api_key: %s
general_settings:
  master_key: %s
litellm_settings:
  telemetry: false
  set_verbose: false
`, s.addr(), testKey, masterKey)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	at := door{addr: freeAddr(b), path: "/v1/chat/completions", token: masterKey}
	host, port, err := net.SplitHostPort(at.addr)
	if err != nil {
		b.Fatal(err)
	}
	proxy := exec.CommandContext(b.Context(), program, "--config", config, "--host", host, "--port", port, "--num_workers", fmt.Sprint(workers), "--telemetry", "False")
	proxy.Dir, proxy.Stdout, proxy.Stderr = dir, log, log
	// Nothing of this environment is its business, and nothing is to be fetched.
	proxy.Env = []string{"PATH=" + filepath.Dir(program) + ":/usr/bin:/bin", "HOME=" + dir, "LITELLM_MODE=PRODUCTION", "LITELLM_LOG=ERROR", "LITELLM_LOCAL_MODEL_COST_MAP=True"}
	proxy.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}                                  // with its workers
	proxy.Cancel = func() error { return syscall.Kill(-proxy.Process.Pid, syscall.SIGKILL) } // which hold nothing
	if err := proxy.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = proxy.Wait() // with the error that it was killed
	}()
	defer func() {
		_ = proxy.Cancel()
		<-ended
	}()
	if !answers("http://"+at.addr+"/health/liveliness", ended) {
		said, _ := os.ReadFile(log.Name())
		b.Fatalf("the proxy does not start:\n%s", said)
	}
	return measure(at)
}

func freeAddr(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// answers waits until a server is there, or has ended.
func answers(url string, ended <-chan struct{}) bool {
	for deadline := time.After(3 * time.Minute); ; {
		select {
		case <-ended:
			return false
		case <-deadline:
			return false
		case <-time.After(200 * time.Millisecond):
		}
		a, err := http.Get(url)
		if err != nil {
			continue
		}
		_ = a.Body.Close()
		if a.StatusCode == http.StatusOK {
			return true
		}
	}
}
