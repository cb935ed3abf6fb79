"""`svfap serve`: a page and a JSON API that score videos and the browser's camera.

The server itself (`app`) only moves files and lines of JSON. Each request is scored by another
process (`worker`, held by `pool`), so a video that crashes the decoder costs one request.
"""
