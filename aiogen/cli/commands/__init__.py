"""The commands as they are typed: names, options, help.  What they do is in the modules of `aiogen.cli`."""
