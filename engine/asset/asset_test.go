package asset_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/asset"
	"github.com/ml-dev-bench/bench/engine/digest"
)

const content = "the weights"

var sum = digest.Bytes([]byte(content))

// serve gives a server and a cache that trusts it.
func serve(t *testing.T, h http.HandlerFunc) (url string, o asset.Options) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/weights.bin", asset.Options{Dir: t.TempDir(), Transport: s.Client().Transport, Backoff: time.Millisecond, Stall: 30 * time.Second}
}

func open(t *testing.T, o asset.Options) *asset.Cache {
	t.Helper()
	c := asset.Open(o)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func read(t *testing.T, f *asset.File) string {
	t.Helper()
	in, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// kept lists what is in a cache beside its locks.
func kept(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(file string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(file) != ".lock" {
			names = append(names, d.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// What was fetched once is not fetched again, by whomever.
func TestFetch(t *testing.T) {
	var asked atomic.Int32
	url, o := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path != "/moved" {
			http.Redirect(w, r, "/moved", http.StatusFound)
			return
		}
		fmt.Fprint(w, content)
	})
	for range 3 {
		c := open(t, o)
		f, err := c.Fetch(t.Context(), url, sum)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, f); got != content || f.Sum != sum || f.Size != int64(len(content)) {
			t.Errorf("got %q, %v, %d bytes", got, f.Sum, f.Size)
		}
	}
	if n := asked.Load(); n != 2 { // the second is the redirect
		t.Errorf("asked %d times", n)
	}
}

// What servers do wrong is told, and nothing of it is kept.
func TestFetchErrors(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
		final  bool
		asked  int32
	}{
		"another content": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "something else") },
			fmt.Sprintf("its sha256 is %s, and not %s (14 bytes)", digest.Bytes([]byte("something else")), sum), true, 1},
		"an empty file": {func(http.ResponseWriter, *http.Request) {}, "has another content", true, 1},
		"not found":     {status(http.StatusNotFound), `answers "404 Not Found"`, true, 1},
		"forbidden":     {status(http.StatusForbidden), `answers "403 Forbidden"`, true, 1},
		"broken":        {status(http.StatusInternalServerError), `answers "500 Internal Server Error" (tried 4 times)`, false, 4},
		"busy":          {status(http.StatusTooManyRequests), `answers "429 Too Many Requests" (tried 4 times)`, false, 4},
		"no content":    {status(http.StatusNoContent), `answers "204 No Content"`, true, 1},
		"cut short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, content)
		}, "broke off after 11 bytes (tried 4 times)", false, 4},
		"cut short without a length": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, content)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "broke off after 11 bytes (tried 4 times)", false, 4},
		"in circles": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "it redirects more than 10 times", true, 10},
		"to a plain place": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://example.org/", http.StatusFound)
		}, "which is not https", true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			url, o := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				c.answer(w, r)
			})
			_, err := open(t, o).Fetch(t.Context(), url, sum)
			var final *asset.FinalError
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "https://127.0.0.1") || errors.As(err, &final) != c.final {
				t.Errorf("got %v, final %v", err, errors.As(err, &final))
			}
			if n := asked.Load(); n != c.asked {
				t.Errorf("asked %d times", n)
			}
			if left := kept(t, o.Dir); len(left) > 0 {
				t.Errorf("kept %v", left)
			}
		})
	}
}

// A server that others are not sure of is not asked twice.
func TestFetchUnknownServer(t *testing.T) {
	url, o := serve(t, func(http.ResponseWriter, *http.Request) {})
	o.Transport = nil
	_, err := open(t, o).Fetch(t.Context(), url, sum)
	if err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "tried") {
		t.Errorf("got %v", err)
	}
}

// A moment's trouble is none.
func TestFetchTriesAgain(t *testing.T) {
	var asked atomic.Int32
	url, o := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusBadGateway)
		case 2:
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, "something that is longer than the file")
		default:
			fmt.Fprint(w, content)
		}
	})
	f, err := open(t, o).Fetch(t.Context(), url, sum)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, f); got != content {
		t.Errorf("got %q", got)
	}
}

// A server that says nothing more is not waited for, and neither is one when the
// caller does not wait.
func TestFetchHangs(t *testing.T) {
	for _, before := range []string{"", content} {
		hang := func(w http.ResponseWriter, r *http.Request) {
			if before != "" {
				w.Header().Set("Content-Length", "1000")
				fmt.Fprint(w, before)
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
		}
		url, o := serve(t, hang)
		o.Stall = 20 * time.Millisecond
		if _, err := open(t, o).Fetch(t.Context(), url, sum); err == nil || !strings.Contains(err.Error(), "has sent nothing for 20ms (tried 4 times)") {
			t.Errorf("got %v", err)
		}
		came := make(chan struct{}, 1)
		url, o = serve(t, func(w http.ResponseWriter, r *http.Request) {
			came <- struct{}{}
			hang(w, r)
		})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-came
			cancel()
		}()
		if _, err := open(t, o).Fetch(ctx, url, sum); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if left := kept(t, o.Dir); len(left) > 0 {
			t.Errorf("kept %v", left)
		}
	}
}

// An entry that is not what it was is fetched again, whatever was done to it; one
// that only looks different is not.
func TestDamage(t *testing.T) {
	later := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		do    func(file string) error
		again int32
	}{
		"nothing":             {func(string) error { return nil }, 0},
		"another time":        {func(file string) error { return os.Chtimes(file, later, later) }, 0},
		"no record":           {func(file string) error { return os.Remove(file + ".json") }, 0},
		"a strange record":    {func(file string) error { return os.WriteFile(file+".json", []byte("{}"), 0o644) }, 0},
		"half a record":       {func(file string) error { return os.Truncate(file+".json", 5) }, 0},
		"other bytes":         {func(file string) error { return os.WriteFile(file, []byte("the w8ights"), 0o644) }, 1},
		"cut short":           {func(file string) error { return os.Truncate(file, 3) }, 1},
		"gone":                {os.Remove, 1},
		"a part of a process": {func(file string) error { return os.Rename(file, file+".part") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			url, o := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				fmt.Fprint(w, content)
			})
			if _, err := open(t, o).Fetch(t.Context(), url, sum); err != nil {
				t.Fatal(err)
			}
			if err := c.do(path(o.Dir, sum)); err != nil {
				t.Fatal(err)
			}
			f, err := open(t, o).Fetch(t.Context(), url, sum)
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, f); got != content || asked.Load() != 1+c.again {
				t.Errorf("got %q, asked %d times", got, asked.Load())
			}
			if got := kept(t, o.Dir); len(got) != 2 {
				t.Errorf("kept %v", got)
			}
		})
	}
}

func path(dir string, sum engine.Digest) string {
	return filepath.Join(dir, "sha256", sum.String()[:2], sum.String())
}

// Damage that neither size nor time tell of is found by whoever reads, and never
// twice.
func TestSilentDamage(t *testing.T) {
	url, o := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, content) })
	c := open(t, o)
	if _, err := c.Fetch(t.Context(), url, sum); err != nil {
		t.Fatal(err)
	}
	file := path(o.Dir, sum)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(file, []byte("the w8ights"), 0o644), os.Chtimes(file, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	f, err := c.Fetch(t.Context(), url, sum)
	if err != nil {
		t.Fatal(err)
	}
	volume := asset.Volumes([]asset.Placed{{Target: "/data/w", File: f}})[0]
	if err := volume.Files(io.Discard); !errors.Is(err, asset.ErrDamaged) || !strings.Contains(err.Error(), "asset at /data/w") {
		t.Errorf("got %v", err)
	}
	if f, err = c.Fetch(t.Context(), url, sum); err != nil || read(t, f) != content {
		t.Errorf("the next one got %v", err)
	}
}

// Of many goroutines and processes that want a file at once, one fetches it.
func TestAtOnce(t *testing.T) {
	if url := os.Getenv("ASSET_TEST_URL"); url != "" {
		fetchForParent(t, url)
		return
	}
	var asked atomic.Int32
	all := make(chan struct{}) // closed when all are at it
	url, o := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		<-all
		fmt.Fprint(w, content)
	})
	c := open(t, o)
	var started, ended sync.WaitGroup
	started.Add(8)
	for i := range 8 {
		ended.Go(func() {
			if i < 2 {
				if err := fetchInProcess(t, url, o.Dir, started.Done); err != nil {
					t.Error(err)
				}
				return
			}
			started.Done()
			if f, err := c.Fetch(t.Context(), url, sum); err != nil || read(t, f) != content {
				t.Error(err)
			}
		})
	}
	started.Wait()
	close(all)
	ended.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

// fetchInProcess fetches in a process of its own, and tells when that is about to.
func fetchInProcess(t *testing.T, url, dir string, about func()) error {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAtOnce$")
	cmd.Env = append(os.Environ(), "ASSET_TEST_URL="+url, "ASSET_TEST_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	_, err = io.ReadFull(out, make([]byte, 1))
	about()
	text, _ := io.ReadAll(out)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	return nil
}

func fetchForParent(t *testing.T, url string) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig.InsecureSkipVerify = true
	fmt.Print(".")
	c := open(t, asset.Options{Dir: os.Getenv("ASSET_TEST_DIR"), Transport: transport})
	if f, err := c.Fetch(t.Context(), url, sum); err != nil || read(t, f) != content {
		t.Error(err)
	}
}

// A disk that is full is an error of this machine, which is not tried again.
func TestDiskFull(t *testing.T) {
	url, o := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, content) })
	file := path(o.Dir, sum) + ".part"
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.Symlink("/dev/full", file)); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, o).Fetch(t.Context(), url, sum)
	if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "tried") {
		t.Errorf("got %v", err)
	}
	if left := kept(t, o.Dir); len(left) > 0 {
		t.Errorf("kept %v", left)
	}
}

// Files that lie around one directory share a volume, and one within another's
// directory is in it.
func TestVolumes(t *testing.T) {
	url, o := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, content) })
	c := open(t, o)
	file, err := c.Fetch(t.Context(), url, sum)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := c.Make(t.Context(), engine.Digest{7}, func(_ context.Context, w io.Writer) error {
		return asset.Pack(w, archive(t, entry{"d/", ""}, entry{"d/x", "1"}, entry{"d/sub/", ""}, entry{"d/sub/y", "2"}), "d")
	})
	if err != nil {
		t.Fatal(err)
	}
	volumes := asset.Volumes([]asset.Placed{
		{Target: "/data/deep/er/w", File: file}, {Target: "/data/w", File: file}, {Target: "/models/d", File: dir}, {Target: "/data-2/w", File: file}, {Target: "/data/d", File: dir},
	})
	got := map[string][]string{}
	keys := map[string]bool{}
	for _, v := range volumes {
		got[v.Target] = list(t, v.Files)
		keys[v.Key] = true
	}
	want := map[string][]string{
		"/data":   {"d/ 755", "d/x 644 1", "d/sub/ 755", "d/sub/y 644 2", "w 644 the weights", "deep/ 755", "deep/er/ 755", "deep/er/w 644 the weights"},
		"/data-2": {"w 644 the weights"},
		"/models": {"d/ 755", "d/x 644 1", "d/sub/ 755", "d/sub/y 644 2"},
	}
	if diff := cmp.Diff(want, got); diff != "" || len(keys) != 3 {
		t.Errorf("%d keys; files (-want +got):\n%s", len(keys), diff)
	}
	again := asset.Volumes([]asset.Placed{{Target: "/elsewhere/w", File: file}})
	if again[0].Key != volumes[1].Key {
		t.Errorf("equal volumes have keys %q and %q", again[0].Key, volumes[1].Key)
	}
}

type entry struct{ name, content string }

// archive is a tar stream of files, directories and, where the content begins
// with "->", links.
func archive(t *testing.T, entries ...entry) io.Reader {
	t.Helper()
	var b bytes.Buffer
	out := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o600, Uid: 1000, ModTime: time.Now(), Format: tar.FormatPAX, Typeflag: tar.TypeReg, Size: int64(len(e.content))}
		link, isLink := strings.CutPrefix(e.content, "->")
		switch {
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag = tar.TypeDir
		case isLink:
			h.Typeflag, h.Linkname, h.Size, e.content = tar.TypeSymlink, link, 0, ""
		}
		if err := out.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func list(t *testing.T, files func(io.Writer) error) (out []string) {
	t.Helper()
	var b bytes.Buffer
	if err := files(&b); err != nil {
		t.Fatal(err)
	}
	for in := tar.NewReader(&b); ; {
		h, err := in.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || !h.ModTime.Equal(engine.TreeTime) {
			t.Errorf("%s belongs to %d:%d, and is of %v", h.Name, h.Uid, h.Gid, h.ModTime)
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %o %s%s", h.Name, h.Mode, text, h.Linkname)))
	}
}

// What a fixture may write, and what it may not.
func TestPack(t *testing.T) {
	for name, c := range map[string]struct {
		entries []entry
		want    string
	}{
		"a file":                   {[]entry{{"d", "1"}}, ""},
		"a directory":              {[]entry{{"d/", ""}, {"d/x", "1"}, {"d/link", "->x"}}, ""},
		"an empty directory":       {[]entry{{"d/", ""}}, ""},
		"nothing":                  {nil, `it wrote nothing at "d"`},
		"something else":           {[]entry{{"e", "1"}}, `it wrote "e", and not only "d"`},
		"something beside":         {[]entry{{"d", "1"}, {"d.log", "1"}}, `it wrote "d.log", and not only "d"`},
		"a link":                   {[]entry{{"d", "->x"}}, `"d" is a link`},
		"a link out of it":         {[]entry{{"d/", ""}, {"d/x", "->../e"}}, `the link "d/x" leads out of "d"`},
		"a link to somewhere else": {[]entry{{"d/", ""}, {"d/x", "->/etc/passwd"}}, `the link "d/x" leads out of "d"`},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			err := asset.Pack(&b, archive(t, c.entries...), "d")
			var final *asset.FinalError
			if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &final) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What a fixture writes is the same whoever wrote it when, and is made once.
func TestMake(t *testing.T) {
	o := asset.Options{Dir: t.TempDir()}
	made := 0
	write := func(_ context.Context, w io.Writer) error {
		made++
		return asset.Pack(w, archive(t, entry{"d", "1"}), "d")
	}
	one, err := open(t, o).Make(t.Context(), engine.Digest{1}, write)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, o).Make(t.Context(), engine.Digest{1}, write); err != nil || made != 1 {
		t.Errorf("made %d times: %v", made, err)
	}
	other, err := open(t, o).Make(t.Context(), engine.Digest{2}, write)
	if err != nil || other.Sum != one.Sum {
		t.Errorf("%v and %v: %v", one.Sum, other.Sum, err)
	}
	fails := errors.New("it fails")
	if _, err := open(t, o).Make(t.Context(), engine.Digest{3}, func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(fails, err)
	}); !errors.Is(err, fails) || len(kept(t, o.Dir)) != 4 {
		t.Errorf("got %v, kept %v", err, kept(t, o.Dir))
	}
	record := filepath.Join(o.Dir, "fixture", "01", engine.Digest{1}.String()+".json")
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, o).Make(t.Context(), engine.Digest{1}, write); err != nil || made != 3 {
		t.Errorf("made %d times: %v", made, err)
	}
}

// What is in use stays, and what is not goes with all that lies beside it.
func TestRemove(t *testing.T) {
	url, o := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, content) })
	others := asset.Open(asset.Options{Dir: o.Dir})
	if all, err := others.List(); len(all) > 0 || err != nil {
		t.Fatalf("nothing is stored, but %v: %v", all, err)
	}
	c := asset.Open(o)
	if _, err := c.Fetch(t.Context(), url, sum); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path(o.Dir, sum)+".part", []byte("left by a process that died"), 0o644); err != nil {
		t.Fatal(err)
	}
	all, err := others.List()
	if err != nil || len(all) != 1 || !all[0].InUse || all[0].Name != "sha256:"+sum.Short() || all[0].Size < 38 || time.Since(all[0].Used) > time.Hour {
		t.Fatalf("got %+v: %v", all, err)
	}
	if err := others.Remove(all[0]); !errors.Is(err, asset.ErrInUse) || len(kept(t, o.Dir)) != 3 {
		t.Errorf("got %v, kept %v", err, kept(t, o.Dir))
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if all, err = others.List(); err != nil || all[0].InUse {
		t.Errorf("still in use: %v", err)
	}
	if err := others.Remove(all[0]); err != nil {
		t.Error(err)
	}
	if all, err = others.List(); len(all) > 0 || err != nil || len(kept(t, o.Dir)) > 0 {
		t.Errorf("left %v: %v", kept(t, o.Dir), err)
	}
}
