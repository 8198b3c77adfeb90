package store

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A Holder is the process that writes to a results directory. What is not known
// is zero.
type Holder struct {
	PID     int
	Host    string // on which it runs: a results directory can be shared
	Since   time.Time
	Command string // "bench apply suite.hcl"
}

// String is the one line that a lock file has. It begins with "process PID" for
// scripts that stop a bench.
func (h Holder) String() string {
	switch {
	case h.PID == 0:
		return "a process that has not said which one it is"
	case h.Host == "":
		return fmt.Sprintf("process %d", h.PID)
	}
	return fmt.Sprintf("process %d on host %s since %s (%s)", h.PID, h.Host, h.Since.UTC().Format(sinceForm), h.Command)
}

const sinceForm = "2006-01-02 15:04:05 UTC"

var holderForm = regexp.MustCompile(`^process ([1-9][0-9]*)(?: on host (\S+) since (\S+ \S+ UTC) \((.*)\))?$`)

// parseHolder reads a lock file. One that nobody holds is empty; older versions
// wrote the number of the process alone.
func parseHolder(text string) Holder {
	line, _, _ := strings.Cut(text, "\n")
	m := holderForm.FindStringSubmatch(line)
	if m == nil {
		return Holder{}
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		return Holder{}
	}
	since, _ := time.Parse(sinceForm, m[3])
	return Holder{pid, m[2], since, m[4]}
}

// thisProcess is the holder that we are.
func thisProcess(now time.Time) Holder {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "unknown"
	}
	return Holder{os.Getpid(), strings.Join(strings.Fields(host), "-"), now, commandOf(os.Args)}
}

// commandOf is what was called, up to the first flag: the values of those can be
// secrets, and others read the lock file.
func commandOf(args []string) string {
	words := []string{filepath.Base(args[0])}
	for _, arg := range args[1:] {
		if strings.HasPrefix(arg, "-") {
			words = append(words, "…")
			break
		}
		words = append(words, arg)
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.Join(words, " "))
}
