package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/gateway/scripted"
)

// cmdProvider starts a provider on the net: "provider SCRIPT KEY" answers what the
// script says to who has the key, at the address in the variable "provider" of
// benchfiles. To others it repeats the key that they have shown, as some do.
func cmdProvider(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: provider script key")
	}
	file := ts.MkAbs(args[0])
	tree, err := digest.File(args[0], os.DirFS(filepath.Dir(file)), filepath.Base(file))
	ts.Check(err)
	script, diags := scripted.Load(tree)
	if diags.HasErrors() {
		ts.Fatalf("%s: %v", args[0], diags)
	}
	trial := script.Trial("")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if shown := r.Header.Get("Authorization"); shown != "Bearer "+args[1] {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":{"code":"invalid_api_key","message":"Incorrect key: %s"}}`, shown)
			return
		}
		trial.ServeHTTP(w, r)
	}))
	ts.Defer(server.Close)
	ts.Setenv("BENCH_VAR_provider", server.URL)
}
