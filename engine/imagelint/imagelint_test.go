package imagelint_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/imagelint"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// A file is one of an image; without a mode it is 0o644.
type file struct {
	kind byte
	mode int64
	text string // target of a link
}

// bare is what every image needs: as in Debian, with links in the way.
var bare = map[string]file{
	"bin":          {kind: tar.TypeSymlink, text: "usr/bin"},
	"usr/bin/cat":  {mode: 0o755, text: "the program cat"},
	"usr/bin/dash": {mode: 0o755, text: "the program dash"},
	"usr/bin/sh":   {kind: tar.TypeSymlink, text: "dash"},
}

// image is a tar stream of files over those of bare.
func image(t testing.TB, files map[string]file) []byte {
	t.Helper()
	all := maps.Clone(bare)
	maps.Copy(all, files)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		h := &tar.Header{Name: name, Typeflag: f.kind, Mode: f.mode}
		switch f.kind {
		case 0:
			h.Typeflag, h.Size = tar.TypeReg, int64(len(f.text))
			if h.Mode == 0 {
				h.Mode = 0o644
			}
		case tar.TypeSymlink, tar.TypeLink:
			h.Linkname, f.text = f.text, ""
		case tar.TypeDir:
			h.Name += "/"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// lint gives the findings in an image, each in a line, by way of the form in which
// an inventory is kept.
func lint(t testing.TB, config sandbox.ImageConfig, files map[string]file, cases ...*engine.Case) []string {
	t.Helper()
	i, err := imagelint.Scan(config, bytes.NewReader(image(t, files)))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := json.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	var again imagelint.Inventory
	if err := json.Unmarshal(kept, &again); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range again.Findings(cases) {
		if f.Detail == "" || !strings.HasSuffix(f.Fix, ".") {
			t.Errorf("%v does not say what comes of it, or what to do: %+v", f, f)
		}
		out = append(out, string(f.Severity)+" "+f.Rule+" "+f.String())
	}
	return out
}

func tree(t testing.TB, name string, files fstest.MapFS) *engine.Tree {
	t.Helper()
	out, err := digest.Tree(name, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	pem   = "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL\n"
	token = "gh" + "p_abcdefghijklmnopqrstuvwxyz0123456789"
	one   = "1111111111111111111111111111111111111111"
	two   = "2222222222222222222222222222222222222222"
	none  = "0000000000000000000000000000000000000000"
)

func TestRules(t *testing.T) {
	for name, tt := range map[string]struct {
		config sandbox.ImageConfig
		files  map[string]file
		want   []string
	}{
		"clean": {},
		"no shell": {
			config: sandbox.ImageConfig{Env: []string{"PATH=/opt/bin"}},
			files:  map[string]file{"opt/bin/cat": {text: "not to be run"}, "opt/bin/sh": {kind: tar.TypeSymlink, text: "sh"}},
			want:   []string{"error no-shell there is no cat on the PATH of the image", "error no-shell there is no sh on the PATH of the image"},
		},
		"busybox": {
			config: sandbox.ImageConfig{Env: []string{"PATH=/box"}},
			files: map[string]file{
				"box/busybox": {mode: 0o755, text: "many programs"}, "box/cat": {kind: tar.TypeLink, mode: 0o755, text: "box/busybox"},
				"box/sh": {kind: tar.TypeSymlink, text: "/box/also"}, "box/also": {kind: tar.TypeSymlink, text: "busybox"},
			},
		},
		"private keys": {
			files: map[string]file{
				"root/.ssh/id_rsa": {text: pem}, "etc/app/bundle": {text: "certificate\n" + pem},
				"usr/lib/python3/test/keycert.pem": {text: pem}, "usr/lib/ssl.py": {text: "x = '''-----BEGIN " + "PRIVATE KEY-----\\n'''"},
			},
			want: []string{"warning private-key /etc/app/bundle: holds a private key", "warning private-key /root/.ssh/id_rsa: holds a private key"},
		},
		"credentials": {
			files: map[string]file{
				"root/.aws/credentials":          {text: "[default]\naws_access_key_id = A\naws_secret_access_key = abcdefgh\n"},
				"root/.netrc":                    {text: "machine example.org login me\n  password hunter22\n"},
				"root/.npmrc":                    {text: "//registry.example.org/:_authToken=abcdef\n"},
				"home/agent/.npmrc":              {text: "//registry.example.org/:_authToken=${NPM_TOKEN}\n"},
				"root/.pypirc":                   {text: "[pypi]\nusername = me\npassword = hunter22\n"},
				"root/.docker/config.json":       {text: `{"auths": {"example.org": {"auth": "bWU6aHVudGVyMjI="}}}`},
				"home/agent/.docker/config.json": {text: `{"auths": {}}`},
				"root/.git-credentials":          {text: "https://me:hunter22@example.org\n"},
			},
			want: []string{
				"warning credentials /root/.aws/credentials: holds a secret key of AWS",
				"warning credentials /root/.docker/config.json: holds a password of a registry",
				"warning credentials /root/.git-credentials: holds a password of a git server",
				"warning credentials /root/.netrc: holds a password",
				"warning credentials /root/.npmrc: holds a token of a registry",
				"warning credentials /root/.pypirc: holds a password of a registry",
			},
		},
		"variables in files": {
			files: map[string]file{
				"app/.env":         {text: "DEBUG=1\nOPENAI_API_KEY=abcdefgh1234\nexport DB_PASSWORD=\"hunter22!\"\nTOKEN_LIMIT=100000000\n"},
				"app/.env.local":   {text: "OTHER=" + token + "\n"},
				"app/.env.example": {text: "API_KEY=abcdefgh1234\n"},
				"app/two/.env":     {text: "API_KEY=your-key-here\nTOKEN=$OTHER_TOKEN\nKEY=/run/secrets/key\nSECRET=\n"},
				"app/.envrc":       {text: "API_KEY=abcdefgh1234\n"},
			},
			want: []string{"warning credentials /app/.env: gives a value to OPENAI_API_KEY, DB_PASSWORD", "warning credentials /app/.env.local: gives a value to OTHER"},
		},
		"what the image says": {
			config: sandbox.ImageConfig{
				Env:        []string{"GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D", "NPM_TOKEN=abcdefgh1234", "SOME=" + token},
				Entrypoint: []string{"/start"},
				History: []string{
					"/bin/sh -c #(nop)  ENV NPM_TOKEN=abcdefgh1234", "|1 PIP_PASSWORD=hunter22 /bin/sh -c pip install x",
					"/bin/sh -c git clone https://" + token + "@example.org", "RUN /bin/sh -c TOKEN=$(cat /run/secrets/token) make",
				},
			},
			want: []string{
				"warning secret-env the environment of the image has NPM_TOKEN, which looks like a secret",
				"warning secret-env the environment of the image has SOME, which looks like a secret",
				"warning secret-history the history of the image has PIP_PASSWORD with a value that looks like a secret",
				"warning secret-history the history of the image has what looks like a key in a command of the build",
				"note entrypoint the image has an ENTRYPOINT, which is not used",
			},
		},
		"repositories": {
			files: map[string]file{
				"one/.git/HEAD": {text: "ref: refs/heads/main\n"}, "one/.git/refs/heads/main": {text: one + "\n"},
				"one/.git/packed-refs":           {text: "# pack-refs with: peeled\n" + two + " refs/heads/main\n" + two + " refs/tags/v1\n^" + one + "\n"},
				"one/.git/logs/HEAD":             {text: none + " " + two + " me <m@e> 1 +0000\tcommit (initial): a\n" + two + " " + one + " me <m@e> 2 +0000\tcommit: b\n"},
				"detached/.git/HEAD":             {text: one + "\n"},
				"detached/.git/packed-refs":      {text: one + " refs/remotes/origin/main\n"},
				"detached/.git/FETCH_HEAD":       {text: one + "\t\tbranch 'main' of example.org\n"},
				"detached/.git/logs/HEAD":        {text: none + " " + one + " me <m@e> 1 +0000\tcheckout: moving from x to y\n"},
				"ahead/.git/HEAD":                {text: "ref: refs/heads/main\n"},
				"ahead/.git/refs/heads/main":     {text: one + "\n"},
				"ahead/.git/refs/remotes/o/main": {text: two + "\n"},
				"ahead/.git/ORIG_HEAD":           {text: two + "\n"},
				"ahead/.git/logs/HEAD":           {text: none + " " + two + " me <m@e> 1 +0000\tclone: from x\n" + two + " " + one + " me <m@e> 2 +0000\treset: moving to HEAD~1\n"},
				"large/.git/HEAD":                {text: one + "\n"},
				"large/.git/packed-refs":         {text: strings.Repeat(one+" refs/x\n", 2000)},
				"packed/.git/HEAD":               {text: "ref: refs/heads/main\n"},
				"packed/.git/packed-refs":        {text: one + " refs/heads/main\n"},
				"nothing/.git/description":       {text: two},
			},
			want: []string{
				"warning git-history /ahead/.git: knows commits that are not its HEAD, in ORIG_HEAD, logs/HEAD, refs/remotes/o/main",
				"warning git-history /large/.git: knows commits that are not its HEAD, in packed-refs",
				// A branch that has gone on since it was packed: what it was then is no secret, but nobody can know that here.
				"warning git-history /one/.git: knows commits that are not its HEAD, in packed-refs",
			},
		},
		"setuid": {
			files: map[string]file{
				"usr/bin/su": {mode: 0o4755, text: "the program su"}, "usr/bin/become": {mode: 0o4755, text: "another"},
				"opt/tool": {mode: 0o2755, text: "a tool"}, "opt/data": {mode: 0o4644, text: "no program"},
			},
			want: []string{"note setuid /opt/tool: runs as the group that it belongs to", "note setuid /usr/bin/become: runs as the user that it belongs to"},
		},
		"writable": {
			config: sandbox.ImageConfig{Env: []string{"PATH=/usr/bin:/bin:bin:/opt/venv/bin"}},
			files: map[string]file{
				"usr/bin": {kind: tar.TypeDir, mode: 0o777}, "usr/bin/tool": {mode: 0o757, text: "a tool"}, "usr/lib/tool": {mode: 0o777, text: "a tool"},
				"opt/venv": {kind: tar.TypeSymlink, text: "../srv/venv"}, "srv/venv/bin": {kind: tar.TypeDir, mode: 0o1777}, "tmp": {kind: tar.TypeDir, mode: 0o1777},
			},
			want: []string{
				`warning writable-path PATH of the image has "bin", which is another directory wherever a program starts`,
				"warning writable-path /srv/venv/bin: is on PATH of the image, and anybody may write to it",
				"warning writable-path /usr/bin: is on PATH of the image, and anybody may write to it",
				"warning writable-path /usr/bin/tool: is in a directory on PATH of the image, and anybody may change it",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, lint(t, tt.config, tt.files)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHiddenFiles(t *testing.T) {
	script := func(name string, files fstest.MapFS) *engine.Script {
		return &engine.Script{Files: tree(t, name, files)}
	}
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	large := strings.Repeat("a row of data\n", 10_000)
	box := &engine.Sandbox{Name: "box", Env: map[string]string{"PATH": "/usr/bin:/open"}}
	c := &engine.Case{
		Name: "group/case", Sandbox: box, Workspace: tree(t, "case/workspace", fstest.MapFS{"main.py": text("print('in the workspace')")}),
		Checks: []*engine.Check{{Script: *script("case/check", fstest.MapFS{
			"check.py": text("assert answer == 42 # the check"), "same.py": text("print('in the workspace')"), "__init__.py": text("# tiny"), "rows.csv": text(large),
		})}},
		Solution: script("case/solution", fstest.MapFS{"deep/main.py": text("answer = 42 # the solution")}),
		Setup:    script("case/setup", fstest.MapFS{"setup.sh": text("echo the setup of a case")}),
	}
	other := &engine.Case{Name: "other", Sandbox: box, Checks: []*engine.Check{{Script: *script("other/check", fstest.MapFS{"copy.py": text("assert answer == 42 # the check")})}, {}}}
	files := map[string]file{
		"app/check.py": {text: "assert answer == 42 # the check"}, "app/same.py": {text: "print('in the workspace')"}, "app/__init__.py": {text: "# tiny"},
		"app/data.bin": {text: large}, "app/answer": {text: "answer = 42 # the solution"}, "app/setup": {text: "echo the setup of a case"},
		"app/near.py": {text: "assert answer == 43 # the check"}, "open": {kind: tar.TypeDir, mode: 0o777},
	}
	want := []string{
		"error hidden-file /app/answer: is case/solution/deep/main.py, a file of the solution of case group/case",
		"error hidden-file /app/check.py: is case/check/check.py, a file of a check of case group/case and 1 more",
		"error hidden-file /app/data.bin: is case/check/rows.csv, a file of a check of case group/case",
		"warning hidden-file /app/setup: is case/setup/setup.sh, a file of the setup of case group/case",
		`warning writable-path /open: is on PATH of sandbox "box", and anybody may write to it`,
	}
	if diff := cmp.Diff(want, lint(t, sandbox.ImageConfig{}, files, c, other)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A rule that finds very much is told in part, and counted.
func TestMany(t *testing.T) {
	files := map[string]file{}
	for i := range 30 {
		files["opt/tool"+string(rune('A'+i))] = file{mode: 0o4755, text: "a tool"}
	}
	got := lint(t, sandbox.ImageConfig{}, files)
	if len(got) != 21 || got[20] != "note setuid 10 more findings of the rule setuid" {
		t.Errorf("%d findings, the last one %q", len(got), got[len(got)-1])
	}
}

// No finding and no inventory holds what it is about.
func TestNoSecretIsTold(t *testing.T) {
	const secret = "abcdefgh1234"
	config := sandbox.ImageConfig{Env: []string{"A_KEY=" + secret, "B=" + token}, History: []string{"|1 C_KEY=" + secret + " /bin/sh", "curl " + token}}
	i, err := imagelint.Scan(config, bytes.NewReader(image(t, map[string]file{"x/.env": {text: "D_KEY=" + secret}, "root/.netrc": {text: "password " + secret}, "id": {text: pem}})))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := json.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{secret, token, "MIIEpAIBAAKCAQEA"} {
		if bytes.Contains(kept, []byte(s)) {
			t.Errorf("%q is told in %s", s, kept)
		}
	}
	if len(i.Found) != 7 {
		t.Errorf("found %v", i.Found)
	}
}

// A stream that breaks off is no image without findings.
func TestBrokenStream(t *testing.T) {
	whole := image(t, map[string]file{"large": {text: strings.Repeat("x", 100_000)}})
	for _, n := range []int{100, 700, 3000, 50_000} {
		if _, err := imagelint.Scan(sandbox.ImageConfig{}, bytes.NewReader(whole[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add(image(f, map[string]file{
		"a/.git/HEAD": {text: "ref: refs/heads/main"}, "a/.git/packed-refs": {text: "^" + one + "\n" + one + " x\n^"}, "a/.git/logs/HEAD": {text: one + "\t"},
		"x/.env": {text: "A_KEY='"}, "l": {kind: tar.TypeSymlink, text: "../l/../l"}, "id": {text: pem}, "bin/d": {kind: tar.TypeDir, mode: 0o777},
	}))
	box := &engine.Sandbox{Env: map[string]string{"PATH": "l/:/l::"}}
	f.Fuzz(func(t *testing.T, stream []byte) {
		i, err := imagelint.Scan(sandbox.ImageConfig{Env: []string{"PATH=/l:/bin"}}, bytes.NewReader(stream))
		if err != nil {
			return
		}
		for _, one := range i.Findings([]*engine.Case{{Name: "c", Sandbox: box}}) {
			if one.Severity == "" || one.Summary == "" {
				t.Errorf("%+v", one)
			}
		}
	})
}
