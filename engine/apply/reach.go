package apply

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/egress"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/store"
)

// A reach is what can be reached from an agent's sandbox during an attempt: the
// hosts that the benchfile allows. A nil reach is nothing at all.
type reach struct {
	hosts  *egress.Proxy
	log    *os.File
	beside []string // names of services, which are reached without it
}

// openReach opens what the sandbox of the trial may reach, and its log in the draft.
func (w *worker) openReach() (*reach, error) {
	box := w.trial.Case.Sandbox
	if box.Network != engine.NetworkGateway || len(box.Allow) == 0 {
		return nil, nil
	}
	log, err := os.Create(filepath.Join(w.dir, store.EgressLogFile))
	if err != nil {
		return nil, err
	}
	var beside []string
	for _, v := range box.Services {
		beside = append(beside, v.Name)
	}
	return &reach{beside: beside, hosts: egress.New(egress.Options{Allow: box.Allow, From: fmt.Sprintf("sandbox %q", box.Name), Log: log}), log: log}, nil
}

// handler answers what is asked in the sandbox; nil if nothing is to.
func (r *reach) handler() http.Handler {
	if r == nil {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if egress.ForProxy(q) {
			r.hosts.ServeHTTP(w, q)
			return
		}
		http.Error(w, "bench: there is no model here; this is the proxy to the hosts in allow_hosts", http.StatusNotFound)
	})
}

// env tells programs in the sandbox of it.
func (r *reach) env() map[string]string {
	if r == nil {
		return nil
	}
	const proxy = "http://" + sandbox.ServeAddr
	not := strings.Join(append([]string{"localhost", "127.0.0.1", "::1"}, r.beside...), ",")
	return map[string]string{
		"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "http_proxy": proxy, "https_proxy": proxy, "NO_PROXY": not, "no_proxy": not,
	}
}

// close ends the log, once the sandbox is gone.
func (r *reach) close() error {
	if r == nil {
		return nil
	}
	return errors.Join(r.hosts.Close(), r.log.Close())
}
