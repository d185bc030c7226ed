"""What opens connections and files: API requests, uploads, downloads."""
