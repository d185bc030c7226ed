"""Where the outputs of all vendors are: presigned URLs, S3's errors, and files that are painted when they are fetched.

Nothing is stored.
"""
