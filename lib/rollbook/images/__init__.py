"""Images without Docker: a Dockerfile's folder becomes an OCI image layout, and that a root folder.

What is built is a real OCI image but for one thing, which its annotation `dev.rollbook.base` says: the base
image is not in it, the host's Python stands in for it.
"""
