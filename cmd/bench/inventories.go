package main

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine/imagelint"
)

// maxInventories is how many are kept, of the images that were used last.
const maxInventories = 64

// inventories remembers what is in images, for all projects of this user. They
// are a cache: what cannot be read or written is made again.
type inventories struct{ dir string }

func openInventories() (inventories, error) {
	state, err := stateDir()
	return inventories{filepath.Join(state, "inventories")}, err
}

func (c inventories) file(image string) string {
	return filepath.Join(c.dir, strings.ReplaceAll(image, ":", "-")+".json.gz")
}

// Load gives the inventory of an image, if it was made by the rules of now.
func (c inventories) Load(image string) *imagelint.Inventory {
	f, err := os.Open(c.file(image))
	if err != nil {
		return nil
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return nil
	}
	var i imagelint.Inventory
	if err := json.NewDecoder(zip).Decode(&i); err != nil || i.Version != imagelint.Version {
		return nil
	}
	if _, err := io.Copy(io.Discard, zip); err != nil { // its check sum is at the end
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(f.Name(), now, now) // without it, it is only forgotten earlier
	return &i
}

// Keep remembers an inventory, and forgets those that were not used for longest.
func (c inventories) Keep(image string, i *imagelint.Inventory) {
	err := writeFile(c.file(image), func(w io.Writer) error {
		zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return err
		}
		if err := json.NewEncoder(zip).Encode(i); err != nil {
			return err
		}
		return zip.Close()
	})
	if err == nil {
		c.forget()
	}
}

func (c inventories) forget() {
	files, _ := filepath.Glob(filepath.Join(c.dir, "*.json.gz"))
	used := map[string]time.Time{}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			used[f] = info.ModTime()
		}
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(used[b].UnixNano(), used[a].UnixNano()) })
	for _, f := range files[min(len(files), maxInventories):] {
		_ = os.Remove(f)
	}
}
