"""`quintet up`: the broker and its Redis as local processes, on the manifests of a cluster."""
