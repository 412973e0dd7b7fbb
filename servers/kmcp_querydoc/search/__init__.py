"""From a question to the chunks that answer it: its words (`question`), candidates and their scores (`ranking`)."""
