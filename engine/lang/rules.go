package lang

// A rule is something that every suite must keep. Diagnostics name it by its
// number, so that people can look it up and tests can ask for it.
type rule struct {
	number   string
	severity string // of what breaks it
	doc      string // one sentence
}

// rules are those of the language and of the plan, in the order of their numbers.
var rules = []rule{
	{"V01", "error", "A file parses, and every block and argument in it is known. So it is with the script of a provider."},
	{"V02", "error", "There is exactly one suite block, and this is a version of bench that it is written for."},
	{"V03", "error", "A name is declared once for each kind of block, in the suite file with its imports; a case has one name, wherever it is written."},
	{"V04", "error", "Names are made of lower-case letters, digits, underscores and hyphens, and begin with a letter; each directory of the path of a case is such a name, and tags may begin with a digit."},
	{"V05", "error", "Every name that is used is declared, and is of the kind that is wanted."},
	{"V06", "error", "Nothing waits for itself: no local, matrix or gate, by whatever way."},
	{"V07", "error", "Of arguments that exclude each other exactly one is given: image or build, command or builtin, env or file, trials or seeds. An asset has a url with its sha256, a fixture, or both."},
	{"V08", "error", "A name is used only where its value is known by then."},
	{"V09", "error", "A value is of the type that is wanted, and in its range."},
	{"V10", "error", "What selects something selects something, and nothing twice."},
	{"V11", "error", "Agents that need a model are given one, and models that are given have an agent."},
	{"V12", "error", "An agent that is given a model can ask it: its sandbox has a network, and bench can translate between the two APIs, which is so for all that there are. For a builtin agent bench asks, from outside of the sandbox."},
	{"V13", "warning", "An exclude removes at least one cell."},
	{"V14", "error", "An include adds only cells that are not there yet."},
	{"V15", "error", "Where cost is bounded or judged, the prices of all models involved are known."},
	{"V16", "error", "What a sandbox asks for, this machine has. Only apply and plan look."},
	{"V17", "error", "Files and directories that are named exist."},
	{"V18", "error", "What an agent must not see lies in nothing that it sees: files of checks, solutions and fixtures are in no workspace, build context or mount."},
	{"V19", "error, warning", "A key is only where a provider uses it; nothing sensitive is shown; no `env` sets what bench sets. A text that looks like a key is a warning."},
	{"V20", "error, warning", "A gate reads at least one result. One that reads a rate of a matrix with `fail_fast` is a warning: it will nearly always be inconclusive."},
	{"V21", "note", "A matrix that others need should not end early, through its budget or `max_errors`."},
	{"V22", "error, warning", "A case has a solution, and its checks look at more than whether a file is there. An agent that runs the solution is an error without one."},
	{"V23", "error", "Every report goes to a file of its own, and to none that is read."},
	{"V24", "warning", "What the suite file itself declares is used."},
	{"V25", "error", "What a suite needs beyond its sandboxes is allowed with `--allow`. Only apply looks."},
	{"V26", "error", "With `--assets mini`, every asset that is needed has a fixture. Only apply and plan look."},
}
