package lang

import "slices"

// A spec says what a block may hold. The decoder is as strict as it, and reads
// nothing that is not in it; docs/language.md is made from it.
type spec struct {
	kind    string
	label   string // what the label is, such as "name"; empty if there is none
	doc     string // whole sentences
	many    bool   // may stand more than once where it is nested
	attrs   []attr
	blocks  []*spec // nested ones
	example string  // as it would be written; empty for a nested block
}

// An attr is an argument of a block.
type attr struct {
	name     string
	kind     kind
	phase    phase // the last one whose names it may use
	required bool
	to       []string // of references: to which kinds of block
	def      string   // what holds without it, in words; empty if it is required or nothing does
	doc      string   // whole sentences
}

// kind is the type of an argument, in the words of the language reference.
type kind string

const (
	kString   kind = "string"
	kNumber   kind = "number"
	kBool     kind = "bool"
	kDuration kind = "duration"
	kSize     kind = "size"
	kPath     kind = "path"
	kPaths    kind = "path or list of paths"
	kStrings  kind = "list of strings"
	kNumbers  kind = "list of numbers"
	kMap      kind = "map of strings"
	kLocks    kind = "map of numbers"
	kHeaders  kind = "map of strings or secrets"
	kCommand  kind = "command"
	kObject   kind = "object"
	kRef      kind = "reference"
	kRefs     kind = "list of references"
	kGlobs    kind = "list of globs"
	kCases    kind = "list of globs or references"
	kCase     kind = "glob or reference"
	kPathRef  kind = "path or reference"
	kPercent  kind = "number or percentage"
	kType     kind = "type"
	kAny      kind = "any"
	kList     kind = "list of any"
)

// phase is when a value is known. A later one knows all names of the earlier
// ones; the result phase knows static names and results, and nothing of a trial.
type phase int

const (
	phaseStatic phase = iota // reading files and values: var, local, arguments of blocks
	phaseLiteral
	phaseTrial
	phaseRun
	phaseResult
)

var scriptAttrs = []attr{
	{name: "command", kind: kCommand, required: true, doc: "What runs, word by word; no shell reads it."},
	{name: "files", kind: kPaths, doc: "What the command needs. The agent never sees it."},
}

var buildAttrs = []attr{
	{name: "context", kind: kPath, required: true, doc: "The directory that the Dockerfile can copy from; its `.dockerignore` holds."},
	{name: "dockerfile", kind: kString, def: "`\"Dockerfile\"`", doc: "Path within the context."},
	{name: "args", kind: kMap, doc: "Values of the ARG lines."},
}

var budgetSpec = &spec{kind: "budget", doc: "Bounds all trials together. When the rest cannot cover the next trial, nothing more starts, and what did not is skipped; reused trials are free.", attrs: []attr{
	{name: "cost", kind: kNumber, doc: "In USD, above 0. All models involved need a price."},
	{name: "tokens", kind: kNumber, doc: "Tokens in and out, above 0."},
	{name: "wall_clock", kind: kDuration, doc: "From the start of the run."},
}}

var limitsSpec = &spec{kind: "limits", doc: "Bounds what the agent may use up in one trial. The strictest of case, agent and matrix holds. Reaching it is failed(limit_…); the workspace is checked all the same.", attrs: limitAttrs(phaseStatic)}

// In a matrix, limits may depend on the trial.
var matrixLimitsSpec = &spec{kind: "limits", doc: limitsSpec.doc, attrs: limitAttrs(phaseTrial)}

func limitAttrs(p phase) []attr {
	return []attr{
		{name: "wall_clock", kind: kDuration, phase: p, def: "`\"30m\"`, where none of the three says", doc: "Time that the agent works. Waiting for a provider's rate limit is not counted."},
		{name: "tokens", kind: kNumber, phase: p, doc: "Tokens in and out."},
		{name: "cost", kind: kNumber, phase: p, doc: "In USD. All models involved need a price."},
		{name: "turns", kind: kNumber, phase: p, doc: "Requests by which the agent goes on with its work, and not those beside it, such as for titles and counts of tokens."},
		{name: "requests", kind: kNumber, phase: p, doc: "All requests to models, those beside the work included."},
	}
}

var retrySpec = &spec{kind: "retry", doc: "Makes errored attempts again, each in a fresh sandbox. Verdicts are never retried. What the block of a matrix does not say is as the suite says.", attrs: []attr{
	{name: "attempts", kind: kNumber, def: "2", doc: "The first one included."},
	{name: "on", kind: kStrings, def: "all five", doc: "Which reasons of errored: `\"image\"`, `\"asset\"`, `\"sandbox\"`, `\"provider\"`, `\"host\"`. The others would only come to the same."},
	{name: "backoff", kind: kDuration, def: "`\"5s\"`", doc: "Wait before the second attempt; it doubles with each, with some jitter."},
	{name: "max_backoff", kind: kDuration, def: "`\"2m\"`", doc: "The longest wait."},
}}

var suiteSpec = &spec{kind: "suite", label: "name", doc: "Names the suite. A benchfile has exactly one.", example: exampleSuite, attrs: []attr{
	{name: "description", kind: kString, doc: "For people."},
	{name: "required_version", kind: kString, phase: phaseLiteral, def: "any", doc: "Versions of bench that the suite is written for, such as `\">= 0.1, < 1\"`. It is checked before everything else."},
	{name: "imports", kind: kGlobs, phase: phaseLiteral, doc: "Files whose blocks are used as if they stood here. They have no suite block and no imports of their own."},
	{name: "parallel", kind: kNumber, def: "what the machine takes", doc: "Trials at once."},
	{name: "seed", kind: kNumber, def: "0", doc: "Root of the seeds of all trials."},
	{name: "results_dir", kind: kPath, def: "`\".bench\"`", doc: "Where results are stored."},
	{name: "keep_artifacts", kind: kString, def: "`\"failed\"`", doc: "Whose artifacts are kept: `\"all\"`, `\"failed\"` or `\"none\"`. The snapshot for grading is always kept, unless it is `\"none\"`."},
	{name: "locks", kind: kLocks, doc: "How many trials may hold a named lock at once; a lock that is not listed has 1."},
}, blocks: []*spec{budgetSpec, retrySpec}}

var variableSpec = &spec{kind: "variable", label: "name", doc: "An input: `var.NAME`. Its value comes from `--var NAME=VALUE`, from a file given with `--var-file`, from the environment as `BENCH_VAR_NAME`, or from the default; the first of these that there is, and the last flag of several.", example: exampleVariable, attrs: []attr{
	{name: "type", kind: kType, phase: phaseLiteral, def: "that of the default", doc: "`string`, `number`, `bool`, `list(string)`, `map(number)`, `object({ … })` and so on."},
	{name: "default", kind: kAny, phase: phaseLiteral, doc: "Without it a value must be given."},
	{name: "description", kind: kString, phase: phaseLiteral, doc: "For people."},
	{name: "sensitive", kind: kBool, phase: phaseLiteral, def: "false", doc: "True: the value is never shown or stored, and can be used only in the command and env of an agent, and in conditions."},
}, blocks: []*spec{{kind: "validation", many: true, doc: "What must hold of the value.", attrs: []attr{
	{name: "condition", kind: kBool, required: true, doc: "May use this variable, and no other name."},
	{name: "error_message", kind: kString, required: true, doc: "Whole sentences, shown if it does not hold."},
}}}}

var localsSpec = &spec{kind: "locals", doc: "Values with a name of their own: `local.NAME`. All of them are of the phase S. A file may have several such blocks.", example: exampleLocals}

var secretSpec = &spec{kind: "secret", label: "name", doc: "A key that only a provider may use. It is read when a run begins, and never shown, stored, or put into a sandbox. Exactly one of `env` and `file` is given.", example: exampleSecret, attrs: []attr{
	{name: "env", kind: kString, phase: phaseLiteral, doc: "Environment variable that holds it."},
	{name: "file", kind: kPath, phase: phaseLiteral, doc: "File that holds it."},
	{name: "optional", kind: kBool, phase: phaseLiteral, def: "false", doc: "True: a trial that needs it is an error only if it is missing then."},
}}

var providerSpec = &spec{kind: "provider", label: "name", doc: "Where models are asked. `openai`, `anthropic` and `google` need no block: they have their public address, and their key in `OPENAI_API_KEY`, `ANTHROPIC_API_KEY` and `GEMINI_API_KEY`; a block of the same name replaces them, but for what is spoken and where if it gives no `base_url`. A LiteLLM proxy, vLLM, Ollama, Azure and OpenRouter are `api = \"openai\"` with a `base_url`. [Models](models.md) has a block for each of them, and what recordings and scripts are.", example: exampleProvider, attrs: []attr{
	{name: "api", kind: kString, def: "`\"openai\"`", doc: "Family of wire formats: `\"openai\"` (chat completions and responses), `\"chat\"` (chat completions alone, as many servers of others have it), `\"anthropic\"` or `\"google\"`."},
	{name: "mode", kind: kString, def: "`\"live\"`", doc: "`\"live\"` asks; `\"record\"` asks and keeps the answers in the cassette; `\"replay\"` gives answers of the cassette; `\"scripted\"` gives those of the script."},
	{name: "base_url", kind: kString, doc: "http or https. Needed in the modes live and record, unless the name is one of the three above."},
	{name: "cassette", kind: kPath, doc: "A directory with a text file for each trial. Needed in the modes record and replay. With replay, a trial whose file is not there is an error of the plan, one whose file has changed runs again, and a request that the file does not have is errored(provider)."},
	{name: "script", kind: kPath, doc: "A file or a directory. Needed in the mode scripted: answers with text and tool calls, chosen by case and model. No network, no key."},
	{name: "api_key", kind: kRef, to: []string{"secret"}, doc: "The only way in for a key."},
	{name: "headers", kind: kHeaders, doc: "Sent with each request."},
	{name: "parallel", kind: kNumber, def: "8", doc: "Requests at once, over all trials."},
}, blocks: []*spec{{kind: "rate", doc: "What the provider allows. Waiting for it is recorded, and not charged to the agent's time.", attrs: []attr{
	{name: "requests_per_minute", kind: kNumber, doc: "Above 0."},
	{name: "tokens_per_minute", kind: kNumber, doc: "Above 0."},
}}}}

var modelSpec = &spec{kind: "model", label: "name", doc: "What an agent thinks with.", example: exampleModel, attrs: []attr{
	{name: "provider", kind: kRef, to: []string{"provider"}, required: true, doc: "Who is asked."},
	{name: "id", kind: kString, required: true, doc: "As the provider calls it."},
	{name: "params", kind: kObject, doc: "Sent with each request, over what the agent sends, such as `{ temperature = 0.2 }`. What a request is made of is no parameter: `model`, `stream`, `messages`, `input` and `contents`."},
	{name: "price", kind: kObject, def: "that of `bench prices`", doc: "USD per million tokens: `{ input = 3, output = 15 }`, and if they differ from that of input `cached_input` and `cache_write`. Without it the list price counts that bench knows for the `base_url` and the `id`. If it knows none, the price is unknown, which is not zero: a bound on cost is then an error."},
	{name: "tags", kind: kStrings, doc: "For selection."},
}}

var sandboxSpec = &spec{kind: "sandbox", label: "name", doc: "A place to run in. Exactly one of `image` and `build` is given.", example: exampleSandbox, attrs: []attr{
	{name: "image", kind: kString, doc: "Tag or digest of an image. `bench lock` pins tags."},
	{name: "platform", kind: kString, def: "that of the engine", doc: "Such as `\"linux/amd64\"`."},
	{name: "runtime", kind: kString, def: "that of the engine", doc: "What runs the containers of the agent and of the checks: a runtime that the engine has, such as `\"runsc\"`. Services have the engine's own. The threads of gVisor itself count as `pids`: leave it hundreds."},
	{name: "cpus", kind: kNumber, def: "1", doc: "Cores of the machine, in parts of one if need be."},
	{name: "memory", kind: kSize, def: "`\"2GiB\"`", doc: "Swap included."},
	{name: "pids", kind: kNumber, def: "512", doc: "Processes and threads."},
	{name: "gpus", kind: kNumber, def: "0", doc: "Whole devices, which no other trial has meanwhile. Checks have as many. Which there are, `BENCH_GPUS` or `nvidia-smi` says."},
	{name: "network", kind: kString, def: "`\"gateway\"`", doc: "`\"none\"` is nothing; `\"gateway\"` is the model of the trial and the hosts of `allow_hosts`; `\"open\"` is everything, the host included; it needs `--allow net.open`, and plans and reports call the trial weak. Checks have no network."},
	{name: "allow_hosts", kind: kStrings, doc: "Names of hosts that can be reached at ports 80 and 443, with the network gateway: by programs that heed `HTTP_PROXY` and `HTTPS_PROXY`, which are set. What else is served at the address of a host can be reached as well. The requests of a trial are in its `egress.log`."},
	{name: "env", kind: kMap, doc: "Environment variables. Names that begin with `BENCH_` are taken."},
	{name: "user", kind: kString, def: "`\"1000\"`", doc: "Whom the agent runs as, by number, or `\"root\"`."},
	{name: "workdir", kind: kString, def: "`\"/workspace\"`", doc: "Where the workspace lies."},
	{name: "lock", kind: kString, doc: "Held while a trial runs here; see `suite.locks`."},
}, blocks: []*spec{
	{kind: "build", doc: "Makes the image from a Dockerfile.", attrs: append(slices.Clone(buildAttrs),
		attr{name: "target", kind: kString, def: "the last one", doc: "Stage to stop at."},
	)},
	{kind: "mount", many: true, doc: "Shows a directory of the host. Inside of the project root it can be read; anything more needs `--allow mount.host=PATH` or `--allow mount.write=PATH`.", attrs: []attr{
		{name: "source", kind: kString, required: true, doc: "Path on the host; absolute, or from the root."},
		{name: "target", kind: kString, required: true, doc: "Absolute path in the sandbox."},
		{name: "read_only", kind: kBool, def: "true", doc: "False lets the agent write."},
	}},
	{kind: "service", label: "alias", many: true, doc: "Runs beside the agent, one for each trial, in a container of its own that the sandbox reaches under the alias. Their network has nothing else on it: neither the host nor the internet. What a service prints is kept as `service-ALIAS.log`. Checks have no services. One that is not ready in time is errored(sandbox); from the start of the agent on, only the agent can reach it: if it ends then, the verdict stands, and the attempt records it. Its main process is not process 1.", attrs: []attr{
		{name: "image", kind: kString, required: true, doc: "Tag or digest."},
		{name: "env", kind: kMap, doc: "Environment variables."},
		{name: "command", kind: kCommand, def: "that of the image", doc: "What runs, or what the entrypoint of the image gets, if it has one."},
		{name: "memory", kind: kSize, def: "that of the sandbox", doc: "Swap included."},
	}, blocks: []*spec{{kind: "ready", doc: "When it can be used. Without it, as soon as it has started.", attrs: []attr{
		{name: "command", kind: kCommand, required: true, doc: "Run in the container of the service, as the user of its image, until it succeeds."},
		{name: "timeout", kind: kDuration, def: "`\"1m\"`", doc: "For all tries together."},
	}}}},
	{kind: "timeouts", doc: "Bounds the work of bench around a trial. Exceeding one is errored, never failed.", attrs: []attr{
		{name: "pull", kind: kDuration, def: "`\"10m\"`", doc: "Pulling an image."},
		{name: "build", kind: kDuration, def: "`\"20m\"`", doc: "Building an image."},
		{name: "start", kind: kDuration, def: "`\"2m\"`", doc: "Making and starting a container."},
		{name: "setup", kind: kDuration, def: "`\"5m\"`", doc: "The setup of a case."},
		{name: "stop", kind: kDuration, def: "`\"10s\"`", doc: "Ending an agent."},
	}},
}}

var caseSpec = &spec{kind: "case", label: "name", doc: "One task: a prompt, a workspace, and checks that the agent never sees. A file `case.hcl` in a directory below `cases/` holds what stands between the braces; its name is the path of the directory.", example: exampleCase, attrs: []attr{
	{name: "description", kind: kString, doc: "For people."},
	{name: "tags", kind: kStrings, doc: "For selection; lower-case letters, digits, underscores and hyphens."},
	{name: "prompt", kind: kString, required: true, doc: "What the agent is to do; mostly `file(\"./prompt.md\")`."},
	{name: "sandbox", kind: kRef, to: []string{"sandbox"}, required: true, doc: "Where it runs."},
	{name: "workspace", kind: kPath, def: "an empty directory", doc: "Copied in, never mounted."},
	{name: "snapshot", kind: kString, def: "`\"workspace\"`", doc: "What is graded: `\"workspace\"`, or `\"filesystem\"` for the agent's whole container, where it must install packages; that is the weaker seal, and reports say so."},
	{name: "protect", kind: kGlobs, doc: "Files of the workspace that are restored before checking. That the agent changed one is recorded."},
	{name: "artifacts", kind: kGlobs, doc: "Paths in the sandbox that are kept after the run."},
}, blocks: []*spec{
	{kind: "setup", doc: "Prepares the workspace, in the sandbox and before the agent. Failing is errored(setup).", attrs: scriptAttrs},
	{kind: "check", label: "name", many: true, doc: "Decides whether the trial passed; there is at least one, and all must pass. It runs in a fresh sandbox, without a network. Exit status 0 passes; 75, or a command that is not there, says that the check itself is broken: errored(check); everything else fails. It may write a score from 0 to 1 to the file that `BENCH_SCORE` names, and metrics to that of `BENCH_METRICS`: a JSON object of numbers, or of `{value, unit, description}`.", attrs: append(slices.Clone(scriptAttrs),
		attr{name: "timeout", kind: kDuration, def: "`\"2m\"`", doc: "Exceeding it fails."},
		attr{name: "weight", kind: kNumber, def: "1", doc: "In the score of the trial."},
		attr{name: "env", kind: kMap, doc: "Environment variables."},
	)},
	{kind: "solution", doc: "What the agent `oracle` runs, and what proves that the case can be solved.", attrs: scriptAttrs},
	{kind: "asset", label: "name", many: true, doc: "Data or weights: a file that is fetched once on the host, or a small stand-in that a fixture makes. Agents and checks find it at `target`, and not even root can change it. `--assets full`, or nothing, uses the file of every asset that has a `url`; `--assets mini` uses stand-ins alone, and refuses cases without. Which of the two it was never depends on what can be reached, and is part of every key and report.", attrs: []attr{
		{name: "url", kind: kString, doc: "Where the file is: https. It is used as it is; no archive is unpacked. Without a url, the stand-in is used always."},
		{name: "sha256", kind: kString, doc: "What the file must be: 64 hexadecimal digits. Needed with a url."},
		{name: "target", kind: kString, required: true, doc: "Absolute path in the sandbox, such as `\"/assets/cifar.tar.gz\"`. The directory around it shows assets and nothing else."},
		{name: "fixture", kind: kCommand, doc: "Makes the stand-in, once for each image: it writes a file or a directory to the path that `BENCH_ASSET` names. It runs in a sandbox of its own, of the image of the case and without a network, as the user of the agent, in the directory of its `files`, for as long as a setup may take."},
		{name: "files", kind: kPaths, doc: "What the fixture needs. The agent never sees it."},
	}},
	limitsSpec,
}}

// caseFileSpec is the body of a case as a file of its own.
var caseFileSpec = &spec{
	kind:   "case file",
	attrs:  append(slices.Clone(caseSpec.attrs), attr{name: "imports", kind: kGlobs, phase: phaseLiteral, doc: "Files whose sandboxes, variables and locals it uses."}),
	blocks: append(slices.Clone(caseSpec.blocks), sandboxSpec),
}

var agentSpec = &spec{kind: "agent", label: "name", doc: "What is measured. Exactly one of `command` and `builtin` is given. Every trial has `BENCH_CASE`, `BENCH_WORKSPACE`, `BENCH_PROMPT_FILE`, and with a model `BENCH_MODEL`, `BENCH_GATEWAY_URL` and `BENCH_GATEWAY_TOKEN` in its environment.", example: exampleAgent, attrs: []attr{
	{name: "command", kind: kCommand, phase: phaseRun, doc: "Runs in the case's sandbox, in the workspace; no shell reads it."},
	{name: "builtin", kind: kString, doc: "`\"noop\"` does nothing; `\"oracle\"` runs the case's solution; `\"replay\"` applies the snapshot that is stored under the same trial id; `\"react\"` reasons and acts in a loop."},
	{name: "install", kind: kPath, doc: "A script that is run once on top of the image of each case; or a `build` block."},
	{name: "env", kind: kMap, phase: phaseRun, doc: "Environment variables. Names that begin with `BENCH_` are taken."},
	{name: "needs_model", kind: kBool, def: "true for a command and for react", doc: "False: there is one cell for the agent, not one for each model."},
	{name: "api", kind: kString, def: "`\"openai\"`", doc: "Wire format that the agent speaks: `\"openai\"` (chat completions), `\"responses\"` (OpenAI's later one), `\"anthropic\"` or `\"google\"`. It need not be that of the provider: bench translates."},
	{name: "aliases", kind: kMap, doc: "Names of models that the agent uses, each with the id of a model at the provider of the trial's: `{ haiku = \"claude-haiku-4-5\" }`. For agents that use a small model beside the one that is measured."},
	{name: "other_models", kind: kString, def: "`\"rewrite\"`", doc: "What becomes of a request for a model that is neither the trial's nor an alias: `\"rewrite\"` has the model of the trial answer, `\"deny\"` refuses it, and `\"allow\"` asks the provider of the trial's model for it."},
	{name: "version", kind: kCommand, doc: "Prints its version, which is kept with the results."},
	{name: "artifacts", kind: kGlobs, doc: "Paths in the sandbox that are kept after the run."},
}, blocks: []*spec{
	{kind: "build", doc: "A Dockerfile that starts with `ARG BASE` and `FROM ${BASE}`: it is laid over the image of each case.", attrs: buildAttrs},
	limitsSpec,
}}

var matrixSpec = &spec{kind: "matrix", label: "name", doc: "Crosses cases, agents, models and axes. Each cell is tried once or more.", example: exampleMatrix, attrs: []attr{
	{name: "cases", kind: kCases, required: true, doc: "Globs over directories below `cases/`, and references to cases of this file. `!` removes; later entries win."},
	{name: "tags", kind: kStrings, doc: "Of those cases, the ones that have any of the plain tags, if there are some, and none of those with `!`."},
	{name: "agents", kind: kRefs, to: []string{"agent"}, required: true, doc: "Who is measured."},
	{name: "models", kind: kRefs, to: []string{"model"}, doc: "With what. Needed if one of the agents needs a model."},
	{name: "trials", kind: kNumber, def: "1", doc: "How often each cell is tried."},
	{name: "seeds", kind: kNumbers, def: "derived from `suite.seed`", doc: "One trial for each, instead of `trials`."},
	{name: "params", kind: kObject, phase: phaseTrial, doc: "Over those of the model."},
	{name: "max_errors", kind: kPercent, doc: "Ends the matrix as incomplete after so many errored trials, or such a part of all: `20` or `\"5%\"`."},
	{name: "fail_fast", kind: kBool, def: "false", doc: "True: the first failed trial ends the matrix."},
	{name: "parallel", kind: kNumber, def: "that of the suite", doc: "Trials of this matrix at once."},
	{name: "lock", kind: kString, doc: "Held while one of its trials runs; see `suite.locks`."},
	{name: "needs", kind: kRefs, to: []string{"matrix", "gate"}, doc: "Starts only when these are complete, or passed."},
	{name: "after", kind: kRefs, to: []string{"matrix", "gate"}, doc: "Starts when these have ended in any way."},
	{name: "if", kind: kBool, phase: phaseResult, def: "true", doc: "False: all its trials are skipped."},
	{name: "baseline", kind: kPathRef, to: []string{"matrix"}, doc: "What it is compared with: a results file, or another matrix. Cells are joined by case, agent, model and axes."},
	{name: "reuse", kind: kBool, def: "true", doc: "False: everything runs, whatever is stored."},
}, blocks: []*spec{
	{kind: "axis", label: "name", many: true, doc: "A dimension of your own: `trial.axis.NAME`.", attrs: []attr{
		{name: "values", kind: kList, required: true, doc: "Numbers, booleans and short strings, or objects with a `name`; all different."},
	}},
	{kind: "exclude", many: true, doc: "Removes the cells that match all that it gives.", attrs: []attr{
		{name: "case", kind: kCase, doc: "Which cases."},
		{name: "agent", kind: kRef, to: []string{"agent"}, doc: "Which agent."},
		{name: "model", kind: kRef, to: []string{"model"}, doc: "Which model."},
		{name: "axis", kind: kObject, doc: "Which values of axes, by their names: `{ temperature = 0 }`."},
	}},
	{kind: "include", many: true, doc: "Adds cells, after exclusion. A cell that is there already is an error.", attrs: []attr{
		{name: "cases", kind: kCases, required: true, doc: "Which cases; tags do not matter here."},
		{name: "agents", kind: kRefs, to: []string{"agent"}, required: true, doc: "Which agents."},
		{name: "models", kind: kRefs, to: []string{"model"}, doc: "With which models."},
		{name: "trials", kind: kNumber, def: "that of the matrix", doc: "How often each of these cells is tried."},
	}},
	matrixLimitsSpec, budgetSpec, retrySpec,
}}

var gateSpec = &spec{kind: "gate", label: "name", doc: "Reads results, and decides whether they are good enough. A gate over an incomplete matrix, or over something unknown, is inconclusive.", example: exampleGate, attrs: []attr{
	{name: "condition", kind: kBool, phase: phaseResult, required: true, doc: "True if it passes. It reads at least one result, such as `matrix.NAME.pass_rate >= 0.9`."},
	{name: "message", kind: kString, phase: phaseResult, def: "what was compared", doc: "Shown if it fails."},
	{name: "severity", kind: kString, def: "`\"error\"`", doc: "`\"warning\"` never changes the exit code."},
	{name: "allow_incomplete", kind: kBool, def: "false", doc: "True: the gate decides from the trials that there are."},
	{name: "if", kind: kBool, def: "true", doc: "False: the gate is skipped."},
}}

var reportSpec = &spec{kind: "report", label: "format", doc: "A document about the run: `junit`, `markdown` or `json`. It is written whatever happened.", example: exampleReport, attrs: []attr{
	{name: "path", kind: kPath, required: true, doc: "Where to; not below `cases/`, and each report to a file of its own."},
	{name: "matrices", kind: kRefs, to: []string{"matrix"}, def: "all", doc: "Which trials."},
	{name: "rows", kind: kStrings, def: "`[\"agent\", \"model\"]`", doc: "What the rows of tables stand for: `case`, `category`, `agent`, `model`, `tag`, `axis.NAME`."},
}}

// topLevel lists the blocks of a benchfile, in the order in which people read them.
var topLevel = []*spec{suiteSpec, variableSpec, localsSpec, secretSpec, providerSpec, modelSpec, agentSpec, sandboxSpec, caseSpec, matrixSpec, gateSpec, reportSpec}

// reserved answers words that people try, with what bench says instead.
var reserved = map[string]string{
	"job":       "Trials come from a `matrix`.",
	"jobs":      "Trials come from a `matrix`.",
	"step":      "Trials come from a `matrix`.",
	"steps":     "Trials come from a `matrix`.",
	"task":      "A task is a `case`.",
	"module":    "Share blocks by `imports` in the suite block.",
	"import":    "Share blocks by `imports` in the suite block.",
	"gateway":   "Where models are asked is a `provider`.",
	"runs":      "Repetition is `trials` in a matrix.",
	"threshold": "What results must reach is a `gate`.",
	"resource":  "What runs is declared by `case`, `agent` and `matrix`.",
	"data":      "What runs is declared by `case`, `agent` and `matrix`.",
	"output":    "Results go where a `report` block says.",
	"dynamic":   "Cells are multiplied by a `matrix`.",
	"for_each":  "Cells are multiplied by a `matrix`.",
	"count":     "Cells are multiplied by a `matrix`.",
	"container": "A place to run in is a `sandbox`.",
}

func (s *spec) attr(name string) attr {
	for _, a := range s.attrs {
		if a.name == name {
			return a
		}
	}
	panic("lang: " + s.kind + " has no argument " + name)
}

// find gives the argument of a name, if there is one.
func (s *spec) find(name string) bool {
	return slices.ContainsFunc(s.attrs, func(a attr) bool { return a.name == name })
}

// nested gives the spec of a nested block, or nil.
func (s *spec) nested(kind string) *spec {
	for _, b := range s.blocks {
		if b.kind == kind {
			return b
		}
	}
	return nil
}
