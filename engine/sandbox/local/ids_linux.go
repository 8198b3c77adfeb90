package local

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
)

// ids is how many users and groups a sandbox has: all that programs know of.
const ids = 1 << 16

// unusedIDs is where a range of ids begins that nothing else uses: above those of
// people, of systemd's containers and of /etc/subuid, and below the sign bit.
const unusedIDs = 0x7f000000

// mapIDs gives a process in a fresh user namespace its users and groups.
func mapIDs(pid int) error {
	if os.Getuid() == 0 {
		return mapAsRoot(pid)
	}
	for _, kind := range []struct{ file, command string }{{"/etc/subuid", "newuidmap"}, {"/etc/subgid", "newgidmap"}} {
		first, err := subordinate(kind.file)
		if err != nil {
			return err
		}
		out, err := exec.Command(kind.command, strconv.Itoa(pid), "0", strconv.Itoa(first), strconv.Itoa(ids)).CombinedOutput()
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("%s is missing; on Debian and Ubuntu it is in the package uidmap", kind.command)
		}
		if err != nil {
			return fmt.Errorf("%s: %w: %s", kind.command, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

func mapAsRoot(pid int) error {
	for _, kind := range []string{"uid_map", "gid_map"} {
		line := fmt.Sprintf("0 %d %d\n", unusedIDs, ids)
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, kind), []byte(line), 0); err != nil {
			return err
		}
	}
	return nil
}

// subordinate finds in a file of subordinate ids where the first range of this user
// begins that is large enough.
func subordinate(file string) (first int, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	id := strconv.Itoa(os.Getuid())
	names := map[string]bool{id: true}
	if me, err := user.LookupId(id); err == nil {
		names[me.Username] = true
	}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) != 3 || !names[fields[0]] {
			continue
		}
		first, err1 := strconv.Atoi(fields[1])
		count, err2 := strconv.Atoi(fields[2])
		if err1 == nil && err2 == nil && count >= ids {
			return first, nil
		}
	}
	return 0, fmt.Errorf("%s has no range of %d ids for this user; as root, run usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER", file, ids)
}
