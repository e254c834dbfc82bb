/*
 * key.h
 *		The signing key, opened through OpenSSL's store.
 *
 * Only a process that signs may call this: the worker of a database or a one-shot worker. The key stays in its memory
 * until the process ends, another key is configured, or the key file changes.
 */
#ifndef GL_SEAL_KEY_H
#define GL_SEAL_KEY_H

#include "core/compat.h"
#include "format/note.h"

/* At most this many keys are open at once in a process: the old and the new one of a rotation. */
#define GL_KEY_SLOTS 2

typedef struct GlKey GlKey;

/* Open the key and check that it is a private Ed25519 key nobody else can read; error with a hint if it is not. */
extern GlKey *gl_key_open(const char *uri);
extern const uint8_t *gl_key_public(const GlKey *key);
/* Sign, and check the signature against the public key before anybody sees it. */
extern void gl_key_sign(GlKey *key, const void *message, size_t length, uint8_t signature[GL_ED25519_SIGNATURE_SIZE]);

/* Key id of the key under this origin; verifier key as a palloc'd string. */
extern uint32 gl_key_id_for(const GlKey *key, const char *origin);
extern char *gl_key_verifier(const GlKey *key, const char *origin);
extern char *gl_verifier_key_string(const char *origin, const uint8_t public_key[GL_ED25519_PUBLIC_SIZE]);

/* First line of OpenSSL's explanation, for errdetail; empties its error queue. */
extern const char *gl_openssl_error(void);

#endif
