//go:build unix

package store_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What nobody may read is reported like what nobody can read. Root may read all,
// so this is somebody else.
func TestUnreadable(t *testing.T) {
	if dir := os.Getenv("BENCH_TEST_UNREADABLE"); dir != "" {
		for _, d := range open(t, dir).Damaged {
			fmt.Println("damaged:", d)
		}
		fmt.Println("found:", open(t, dir).Count())
		return
	}
	root, err := os.MkdirTemp("", "unreadable-*") // that of t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	dir, binary := filepath.Join(root, "results"), filepath.Join(root, "test")
	furnish(t, dir)
	text, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(binary, text, 0o755)
	}
	if err == nil {
		err = os.Chmod(root, 0o755)
	}
	other := id
	other.N = 2
	for _, name := range []string{id.Dir() + "/attempt-1", id.Dir() + "/attempt-2/grade-1", other.Dir()} {
		closed := filepath.Join(dir, "suite", "trials", name)
		if err == nil {
			err = os.Chmod(closed, 0)
		}
		t.Cleanup(func() { os.Chmod(closed, 0o755) })
	}
	if err == nil {
		err = os.Remove(filepath.Join(dir, "suite", "index"))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-test.run=^TestUnreadable$")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "BENCH_TEST_UNREADABLE="+dir)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	for _, want := range []string{
		"damaged: open " + filepath.Join(dir, "suite", "trials", id.Dir(), "attempt-1", "run.json") + ": permission denied\n",
		"damaged: open " + filepath.Join(dir, "suite", "trials", id.Dir(), "attempt-2", "grade-1", "grade.json") + ": permission denied\n",
		"damaged: open " + filepath.Join(dir, "suite", "trials", other.Dir()) + ": permission denied\n",
		"found: {1 1 1 3}\n",
	} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: got %s\nwant %s", err, out, want)
		}
	}
}
