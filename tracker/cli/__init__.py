"""The command `reidtrack`: thin; one file a sub-command, each imported only when it is called."""
