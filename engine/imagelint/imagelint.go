// Package imagelint finds what is in an image and makes verdicts worth less, or
// nothing, before an agent works in it.
//
//	inventory, err := imagelint.Scan(config, files)
//	findings := inventory.Findings(cases)
//
// Reading an image takes seconds, so that is done once: an [Inventory] is all that
// has to be remembered of it, whatever cases use it later. The rules are
//
//	hidden-file    error    a file of a check or a solution is in the image
//	               warning  a file of a setup is, which bench removes before the agent
//	no-shell       error    cat or sh is missing, and no sandbox can do without them
//	private-key    warning  a private key
//	credentials    warning  a file in which a program keeps a password or a token
//	secret-env     warning  a variable of the image that looks like a secret
//	secret-history warning  a build argument that does, or another word of the build
//	git-history    warning  a repository that knows commits which are not in its HEAD
//	writable-path  warning  anybody may put programs where others look for them
//	entrypoint     note     the image has an entry point, which bench does not use
//	setuid         note     a program that is not among those of every distribution
//
// What an agent sees is what counts: a file that a later layer removed is not in
// the image, unless a word of the build tells it. Files that are not found by
// their content, such as a solution that was changed a little, are not found.
//
// The package is pure. No finding holds a secret itself.
package imagelint

import (
	"archive/tar"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// Version is that of the rules and of the form of an inventory. It goes up when
// an inventory of before would not say what one of now says.
const Version = 1

// leastSize is what a file must have for its content to say which file it is, in
// bytes.
const leastSize = 16

// mostText is how large a file can be that is read for what it says, in bytes.
const mostText = 64 << 10

// defaultPath is what Docker gives the programs of an image without a PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// An Inventory is what is known of an image. It holds no content of files, and no
// secrets.
type Inventory struct {
	Version int                      `json:"version"`
	Path    string                   `json:"path"`  // PATH of its programs
	Found   []engine.Finding         `json:"found"` // whoever works in it
	Sums    map[engine.Digest]string `json:"sums"`  // a path of every content of at least 16 bytes
	Links   map[string]string        `json:"links"` // targets of symbolic links
	Dirs    []string                 `json:"writable_dirs"`
	Files   []string                 `json:"writable_files"` // by anybody, as the directories are
}

// Scan reads an image: its configuration, and all of its files as a tar stream
// whose names are relative to "/". The error is that of the stream.
func Scan(config sandbox.ImageConfig, files io.Reader) (*Inventory, error) {
	s := &scan{
		Inventory: &Inventory{Version: Version, Path: pathOf(config), Sums: map[engine.Digest]string{}, Links: map[string]string{}},
		runnable:  map[string]bool{}, repos: map[string]*repo{}, text: make([]byte, mostText),
	}
	for in := tar.NewReader(files); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the files of an image: %w", err)
		}
		if err := s.entry(h, in); err != nil {
			return nil, fmt.Errorf("reading %s of an image: %w", path.Join("/", h.Name), err)
		}
	}
	s.config(config)
	s.shell()
	s.gits()
	return s.Inventory, nil
}

func pathOf(config sandbox.ImageConfig) string {
	for _, e := range config.Env {
		if value, ok := strings.CutPrefix(e, "PATH="); ok {
			return value
		}
	}
	return defaultPath
}

// A scan is an inventory in the making.
type scan struct {
	*Inventory
	runnable map[string]bool  // files that can be run, links left out
	repos    map[string]*repo // by the path of their directory .git
	text     []byte           // of the file that is being read
}

func (s *scan) find(f engine.Finding) { s.Found = append(s.Found, f) }

// Bits of the mode of a file that archive/tar passes on as they are.
const (
	modeSetuid   = 0o4000
	modeSetgid   = 0o2000
	modeWritable = 0o002
	modeRun      = 0o111
)

func (s *scan) entry(h *tar.Header, in io.Reader) error {
	name := path.Join("/", h.Name)
	switch h.Typeflag {
	case tar.TypeSymlink:
		s.Links[name] = h.Linkname
	case tar.TypeDir:
		if h.Mode&modeWritable != 0 {
			s.Dirs = append(s.Dirs, name)
		}
	case tar.TypeReg, tar.TypeLink:
		if h.Mode&modeRun != 0 {
			s.runnable[name] = true
		}
		if h.Mode&modeWritable != 0 {
			s.Files = append(s.Files, name)
		}
		if h.Mode&(modeSetuid|modeSetgid) != 0 && h.Mode&modeRun != 0 {
			s.setuid(name, h.Mode)
		}
		if h.Typeflag == tar.TypeReg {
			return s.content(name, h.Size, in)
		}
	}
	return nil
}

// content remembers what a file holds by its digest, and looks into a small one.
func (s *scan) content(name string, size int64, in io.Reader) error {
	if size > mostText {
		s.gitFile(name, nil)
		sum := sha256.New()
		if _, err := io.Copy(sum, in); err != nil {
			return err
		}
		s.remember(engine.Digest(sum.Sum(nil)), name)
		return nil
	}
	text := s.text[:size]
	if _, err := io.ReadFull(in, text); err != nil {
		return err
	}
	if size >= leastSize {
		s.remember(sha256.Sum256(text), name)
	}
	s.gitFile(name, text)
	s.secrets(name, text)
	return nil
}

// remember keeps the first path of a content, so that the order of a stream does
// not matter.
func (s *scan) remember(sum engine.Digest, name string) {
	if before, ok := s.Sums[sum]; !ok || name < before {
		s.Sums[sum] = name
	}
}

// shell looks for the programs without which no sandbox works.
func (s *scan) shell() {
	for _, program := range []string{"cat", "sh"} {
		there := slices.ContainsFunc(strings.Split(s.Path, ":"), func(dir string) bool {
			return s.runnable[s.resolve(path.Join("/", dir, program))]
		})
		if !there {
			s.find(engine.Finding{
				Severity: engine.SeverityError, Rule: "no-shell", Summary: fmt.Sprintf("there is no %s on the PATH of the image", program),
				Detail: fmt.Sprintf("bench needs cat and sh in every image: sh keeps a sandbox alive and runs commands in it, and cat reads what it has used. The PATH is %s.", s.Path),
				Fix:    "Add them, or base the image on one that has them, such as debian or alpine.",
			})
		}
	}
}

// maxLinks bounds how many links are followed to one file, as in the kernel.
const maxLinks = 40

// resolve follows the symbolic links in a path; it is empty if there is no end of
// them.
func (i *Inventory) resolve(name string) string {
	done, todo := "/", split(name)
	for links := 0; len(todo) > 0; {
		next := path.Join(done, todo[0])
		todo = todo[1:]
		target, ok := i.Links[next]
		if !ok {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return ""
		}
		if path.IsAbs(target) {
			done = "/"
		}
		todo = append(split(target), todo...)
	}
	return done
}

func split(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
}

// usualSetuid are programs that distributions install with these bits.
var usualSetuid = []string{
	"chage", "chfn", "chsh", "crontab", "dbus-daemon-launch-helper", "expiry", "fusermount", "fusermount3", "gpasswd", "mount", "newgidmap",
	"newgrp", "newuidmap", "pam_extrausers_chkpwd", "passwd", "pkexec", "ssh-agent", "ssh-keysign", "su", "sudo", "umount", "unix_chkpwd", "wall", "write",
}

func (s *scan) setuid(name string, mode int64) {
	if slices.Contains(usualSetuid, path.Base(name)) {
		return
	}
	as := "user"
	if mode&modeSetuid == 0 {
		as = "group"
	}
	s.find(engine.Finding{
		Severity: engine.SeverityNote, Rule: "setuid", Path: name, Summary: fmt.Sprintf("runs as the %s that it belongs to", as),
		Detail: "It is not one of the programs that distributions install so. In a sandbox it gets no more rights than who starts it.",
		Fix:    "Remove it or the bit, unless the case is about it.",
	})
}

// severities is the order in which findings are told.
var severities = []engine.Severity{engine.SeverityError, engine.SeverityWarning, engine.SeverityNote}

// maxOfRule is how many findings of a rule are told; the rest is counted.
const maxOfRule = 20

// tidy sorts findings, and bounds them.
func tidy(found []engine.Finding) []engine.Finding {
	slices.SortStableFunc(found, func(a, b engine.Finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity)),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Summary, b.Summary),
		)
	})
	var out []engine.Finding
	for i := 0; i < len(found); {
		end := i + 1
		for end < len(found) && found[end].Rule == found[i].Rule && found[end].Severity == found[i].Severity {
			end++
		}
		out = append(out, found[i:min(end, i+maxOfRule)]...)
		if more := end - i - maxOfRule; more > 0 {
			rest := found[end-1]
			rest.Path, rest.Summary = "", fmt.Sprintf("%d more findings of the rule %s", more, rest.Rule)
			out = append(out, rest)
		}
		i = end
	}
	return out
}
