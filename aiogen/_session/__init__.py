"""The calls of a session, by what they are about; `aiogen.session` joins them."""
