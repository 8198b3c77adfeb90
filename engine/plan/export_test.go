package plan

// ReadDocumentUpTo has a bound that a test reaches soon.
var ReadDocumentUpTo = readDocument
