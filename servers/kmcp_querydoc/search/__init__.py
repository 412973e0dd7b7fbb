"""From a question to the chunks that answer it: its words (`question`), candidates and their scores (`ranking`).

Does not belong here: SQL (`index.reading`) and the form of an answer (`answers`)."""
