package wire_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

var update = flag.Bool("update", false, "write what is wanted anew")

// archives reads those of a directory of testdata, by name.
func archives(t testing.TB, dir string) map[string]*txtar.Archive {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*txtar.Archive{}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[file] = a
	}
	if len(all) == 0 {
		t.Fatalf("nothing in testdata/%s", dir)
	}
	return all
}

func section(a *txtar.Archive, name string) []byte {
	if i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name }); i >= 0 {
		return a.Files[i].Data
	}
	return nil
}

// golden compares a section of an archive with what was got, or rewrites it.
func golden(t *testing.T, file string, a *txtar.Archive, name, got string) {
	t.Helper()
	if !*update {
		if diff := cmp.Diff(string(section(a, name)), got); diff != "" {
			t.Errorf("%s: %s (-want +got), rewrite with -update:\n%s", file, name, diff)
		}
		return
	}
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		i, a.Files = len(a.Files), append(a.Files, txtar.File{Name: name})
	}
	a.Files[i].Data = []byte(got)
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

func inJSON(t testing.TB, v any) string {
	t.Helper()
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out) + "\n"
}

// familyOf is that of an archive, which its name begins with.
func familyOf(t testing.TB, file string) wire.Family {
	t.Helper()
	name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".txtar"), "-")
	if !slices.Contains(wire.Families, wire.Family(name)) {
		t.Fatalf("%s is of no family", file)
	}
	return wire.Family(name)
}

// TestAnswers folds the answers of testdata.
func TestAnswers(t *testing.T) {
	for file, a := range archives(t, "answers") {
		got := folded(familyOf(t, file), section(a, "answer"))
		golden(t, file, a, "want", inJSON(t, got))
	}
}

// folded is what a folder makes of pieces of an answer.
func folded(f wire.Family, pieces ...[]byte) wire.Answer {
	fold := wire.NewFolder(f)
	for _, p := range pieces {
		before := bytes.Clone(p)
		if n, err := fold.Write(p); n != len(p) || err != nil || !bytes.Equal(p, before) {
			panic(fmt.Sprintf("Write: %d, %v, and %q became %q", n, err, before, p))
		}
	}
	return fold.Answer()
}

// TestRequests routes the requests of testdata, and passes them on.
func TestRequests(t *testing.T) {
	for file, a := range archives(t, "requests") {
		r, body := request(t, section(a, "request"))
		call := wire.Route(r.Method, r.URL, r.Header, body)
		if call.Family != familyOf(t, file) {
			t.Errorf("%s is of the family %s", file, call.Family)
		}
		golden(t, file, a, "call", inJSON(t, struct {
			wire.Call
			SideCall, HidesUsage bool
			Path                 string
		}{call, call.SideCall(), call.HidesUsage(), call.Path("other/model")}))

		before := bytes.Clone(body)
		sent, err := wire.SetModel(call.Family, body, "other/model")
		if err == nil && call.HidesUsage() {
			sent, err = wire.AskUsage(sent)
		}
		switch {
		case errors.Is(err, wire.ErrNoModel), errors.Is(err, wire.ErrNotObject):
			sent = []byte(err.Error())
		case err != nil:
			t.Fatal(err)
		}
		golden(t, file, a, "sent", string(bytes.TrimRight(sent, "\n"))+"\n")
		if !bytes.Equal(before, body) {
			t.Errorf("%s: the body was changed", file)
		}
	}
}

// request reads a request without a protocol, which is what is behind its head.
func request(t testing.TB, text []byte) (*http.Request, []byte) {
	t.Helper()
	head, body, _ := bytes.Cut(text, []byte("\n\n"))
	line, header, _ := strings.Cut(string(head), "\n")
	raw := line + " HTTP/1.1\r\nHost: gateway\r\n"
	if header != "" {
		raw += strings.ReplaceAll(strings.TrimRight(header, "\n"), "\n", "\r\n") + "\r\n"
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw + "\r\n")))
	if err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	return r, body
}
