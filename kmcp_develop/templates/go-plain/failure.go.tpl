package main

import "encoding/json"

// failure is what a tool answers when it cannot do what it was asked for. Code is one of bad_argument, not_found,
// forbidden, conflict, unavailable and timed_out; Message names the cause and Hint the next step.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func (f failure) Error() string {
	text, err := json.Marshal(f)
	if err != nil {
		return f.Message
	}
	return string(text)
}
