"""aiogen in other people's frameworks: one module or package for each, imported only when it is named."""
