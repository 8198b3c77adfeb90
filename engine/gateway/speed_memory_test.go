package gateway_test

import "testing"

// A session does not grow with its calls: of ten thousand it keeps far less than it
// would take to remember a row of each. BenchmarkMemory says how much that is.
func TestMemoryStaysFlat(t *testing.T) {
	const calls, most = 10_000, 64 // bytes a call
	at := gatewayTo(t, newStub(t))
	at.ask(t, 8, 1000) // what is made once
	before := inUse()
	at.ask(t, 8, calls)
	if kept := inUse() - before; kept > calls*most {
		t.Errorf("after %d calls %d bytes more are in use, %d a call", calls, kept, kept/calls)
	}
}
