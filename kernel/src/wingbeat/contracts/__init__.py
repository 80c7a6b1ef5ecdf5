"""How the outside is spoken to: Protocols, hook specifications, request and reply structs of every seam. No behaviour."""
