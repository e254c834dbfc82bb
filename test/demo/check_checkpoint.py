#!/usr/bin/env python3
# Is the checkpoint on standard input signed by this key? usage: check_checkpoint.py VERIFIER-KEY < CHECKPOINT
# Knows nothing of govledger: a C2SP signed note, an Ed25519 key, python3-cryptography.
import base64, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

name, key_id, key = sys.argv[1].split("+", 2)
text, signatures = sys.stdin.buffer.read().decode().rsplit("\n\n", 1)
signed = [base64.b64decode(s.split(" ")[2]) for s in signatures.splitlines() if s.split(" ")[1] == name]
signature = next(s for s in signed if s[:4].hex() == key_id)
Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:]).verify(signature[4:], (text + "\n").encode())
print("good: signed by %s at tree size %s, root %s" % tuple(text.split("\n")[:3]))
