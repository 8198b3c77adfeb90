package engine

// API is a family of wire formats in which programs talk to models.
type API string

// The families. OpenAI has two: a provider of APIOpenAI serves both, one of APIChat
// only the older one, and an agent says which one it speaks.
const (
	APIOpenAI    API = "openai"    // chat completions; of a provider: responses, too
	APIResponses API = "responses" // responses; only of agents
	APIChat      API = "chat"      // chat completions and no responses; only of providers
	APIAnthropic API = "anthropic" // messages
	APIGoogle    API = "google"    // generateContent
)

// APIs lists the families of providers, and AgentAPIs those of agents.
var (
	APIs      = []API{APIOpenAI, APIChat, APIAnthropic, APIGoogle}
	AgentAPIs = []API{APIOpenAI, APIResponses, APIAnthropic, APIGoogle}
)

// A Provider is where models are asked.
type Provider struct {
	Name        string
	API         API
	Mode        Mode
	BaseURL     string
	Cassette    string // path relative to the root; with ModeRecord and ModeReplay
	Recordings  *Tree  // what is in the cassette; with ModeReplay
	Script      *Tree  // with ModeScripted
	APIKey      *Secret
	Headers     map[string]HeaderValue
	Parallel    int // requests at once, over all trials
	Rate        Rate
	Predeclared bool // nobody had to write it
	Pos         Pos
}

// Asked is the API of an agent in which the provider is asked what an agent asks in
// the given one. Where the two differ, somebody has to translate.
func (p *Provider) Asked(agent API) API {
	switch {
	case p.API == APIOpenAI && agent == APIResponses:
		return APIResponses
	case p.API == APIChat:
		return APIOpenAI
	}
	return p.API
}

// Mode says where the answers of a provider come from.
type Mode string

// The modes.
const (
	ModeLive     Mode = "live"
	ModeRecord   Mode = "record"
	ModeReplay   Mode = "replay"
	ModeScripted Mode = "scripted"
)

// A HeaderValue is a text or a secret.
type HeaderValue struct {
	Text   string
	Secret *Secret // nil if it is a text
}

// Rate bounds the use of a provider. A zero means "no bound".
type Rate struct {
	RequestsPerMinute, TokensPerMinute int64
}

// A Model is what an agent thinks with.
type Model struct {
	Name     string
	Provider *Provider
	ID       string // as the provider calls it
	Params   Params
	Price    *Price // nil if the benchfile says nothing; see engine/gateway/prices
	Tags     []string
	Pos      Pos
}

// A Price is what a model costs by its benchfile, in USD per million tokens. A nil
// pointer is what costs as much as Input.
type Price struct {
	Input       float64  `json:"input"`
	Output      float64  `json:"output"`
	CachedInput *float64 `json:"cached_input,omitempty"`
	CacheWrite  *float64 `json:"cache_write,omitempty"`
}
