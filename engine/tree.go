package engine

import (
	"io/fs"
	"time"
)

// A Tree is a directory of the project as it was when the plan was made. It
// remembers the content of every file by digest, so that a file that changes
// between plan and use is noticed instead of used.
type Tree struct {
	Path    string // relative to the project root, for messages
	FS      fs.FS  // where the files are read from
	Entries []TreeEntry
	Sum     Digest  // of all entries
	Merged  []*Tree // those that it was laid together from; nil mostly
}

// A TreeEntry is one file, directory or symbolic link of a Tree.
type TreeEntry struct {
	Path string      // slash-separated, relative to the tree; entries are sorted by it
	Mode fs.FileMode // type and permission bits
	Size int64       // bytes of a file
	Sum  Digest      // of a file's content
	Link string      // target of a symbolic link
	From fs.FS       // overrides Tree.FS for trees merged from several; nil mostly
}

// TreeTime is the modification time of every file that bench puts into a
// sandbox or an image: archives of equal trees are equal bytes.
var TreeTime = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
