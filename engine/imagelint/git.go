package imagelint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// A repo is what the directory .git of a repository says of commits. The answer
// of a task that was taken from a repository lies in its future.
type repo struct {
	head  string              // content of HEAD
	refs  map[string]string   // ids by name, as "refs/heads/main"
	names map[string][]string // ids by the file that names them; one of "" stands for many that were not read
}

// gitDir is where the files of a repository begin.
const gitDir = "/.git/"

var commitID = regexp.MustCompile(`\b[0-9a-f]{40}(?:[0-9a-f]{24})?\b`)

// gitFile reads a file of a repository that names commits. A nil text is that of
// a file that is too large to be read, and names more than one.
func (s *scan) gitFile(name string, text []byte) {
	dir, file, ok := strings.Cut(name, gitDir)
	if !ok {
		return
	}
	isRef, isLog := strings.HasPrefix(file, "refs/"), strings.HasPrefix(file, "logs/")
	if !isRef && !isLog && !slices.Contains([]string{"HEAD", "packed-refs", "ORIG_HEAD", "FETCH_HEAD"}, file) {
		return
	}
	r := s.repos[dir]
	if r == nil {
		r = &repo{refs: map[string]string{}, names: map[string][]string{}}
		s.repos[dir] = r
	}
	switch content := strings.TrimSpace(string(text)); {
	case text == nil:
		r.names[file] = []string{""}
	case file == "HEAD":
		r.head = content
	case file == "packed-refs":
		r.packed(content)
	case isLog:
		r.names[file] = logged(content)
	default:
		ids := commitID.FindAllString(content, -1)
		r.names[file] = ids
		if isRef && len(ids) == 1 {
			r.refs[file] = ids[0]
		}
	}
}

// packed reads packed-refs. The line after that of a tag, which begins with "^",
// has the commit that it is of.
func (r *repo) packed(content string) {
	const file = "packed-refs"
	for line := range strings.Lines(content) {
		id, ref, _ := strings.Cut(strings.TrimSpace(line), " ")
		if peeled, ok := strings.CutPrefix(id, "^"); ok && len(r.names[file]) > 0 {
			r.names[file][len(r.names[file])-1] = peeled
			continue
		}
		if !commitID.MatchString(id) {
			continue
		}
		r.names[file] = append(r.names[file], id)
		if r.refs[ref] == "" { // a file of its own is newer
			r.refs[ref] = id
		}
	}
}

// logged are the commits that a reflog names. One in which nothing but commits
// were made leads from the past to its end, and only that counts.
func logged(content string) []string {
	var ids []string
	straight := true
	for line := range strings.Lines(content) {
		who, what, _ := strings.Cut(line, "\t")
		fields := strings.Fields(who)
		if len(fields) < 2 {
			continue
		}
		ids = append(ids, fields[:2]...)
		straight = straight && (strings.HasPrefix(what, "commit:") || strings.HasPrefix(what, "commit (initial):") || strings.HasPrefix(what, "clone:"))
	}
	if straight && len(ids) > 0 {
		return ids[len(ids)-1:]
	}
	return ids
}

// others are the files that name commits which HEAD is not.
func (r *repo) others() []string {
	head := r.head
	if ref, ok := strings.CutPrefix(head, "ref: "); ok {
		head = r.refs[ref]
	}
	var files []string
	for file, ids := range r.names {
		if slices.ContainsFunc(ids, func(id string) bool { return id != head && (id == "" || strings.Trim(id, "0") != "") }) {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files
}

// maxGitFiles is how many files of a repository are named.
const maxGitFiles = 4

func (s *scan) gits() {
	for dir, r := range s.repos {
		files := r.others()
		if len(files) == 0 {
			continue
		}
		text := strings.Join(files[:min(len(files), maxGitFiles)], ", ")
		if n := len(files) - maxGitFiles; n > 0 {
			text += fmt.Sprintf(" and %d more", n)
		}
		s.find(engine.Finding{
			Severity: engine.SeverityWarning, Rule: "git-history", Path: dir + "/.git", Summary: "knows commits that are not its HEAD, in " + text,
			Detail: "Where a task was taken from the history of a repository, its answer is in a later commit, and git shows it to the agent.",
			Fix:    "Remove the directory .git, or begin a new history with one commit (git init).",
		})
	}
}
