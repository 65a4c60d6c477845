"""The suite: a folder per app, a file per behaviour; `support` holds what they share."""
