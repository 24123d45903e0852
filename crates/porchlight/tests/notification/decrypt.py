#!/usr/bin/env python3
"""Decrypts one item of a rich notification as its receivers do, with a library that is not ours.

    python3 decrypt.py key.pem < item.json

The item holds {"encryptedContent": {"data", "dataSignature", "dataKey"}}, the PEM file the private key. Exit status 0:
the resource, which is JSON, is on standard output. 1: the item is not what its signature says, or not for this key; the
reason is on stderr. 2: wrong arguments, or no library.

The library is PyPI's cryptography. Source of the steps: Graph, "Set up Microsoft Graph change notifications with
resource data", section "Decrypting resource data".
"""

import base64
import json
import pathlib
import sys

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, hmac, padding, serialization
    from cryptography.hazmat.primitives.asymmetric import padding as asymmetric
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
except ImportError as error:
    print(f"the library is missing, pip install cryptography first: {error}", file=sys.stderr)
    sys.exit(2)


def decrypt(content, private_key):
    data, signature, key = (
        base64.b64decode(content[name], validate=True) for name in ("data", "dataSignature", "dataKey")
    )
    oaep = asymmetric.OAEP(mgf=asymmetric.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
    key = private_key.decrypt(key, oaep)
    mac = hmac.HMAC(key, hashes.SHA256())
    mac.update(data)
    mac.verify(signature)
    decryptor = Cipher(algorithms.AES256(key), modes.CBC(key[:16])).decryptor()
    padded = decryptor.update(data) + decryptor.finalize()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def main(file):
    private_key = serialization.load_pem_private_key(pathlib.Path(file).read_bytes(), password=None)
    try:
        resource = decrypt(json.load(sys.stdin)["encryptedContent"], private_key)
        json.loads(resource)
    except InvalidSignature:
        sys.exit("the signature is not that of the data")
    except (ValueError, KeyError) as error:
        sys.exit(f"the item cannot be read: {error!r}")
    sys.stdout.buffer.write(resource + b"\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: python3 decrypt.py key.pem < item.json", file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1])
