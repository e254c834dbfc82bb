/*
 * note.h
 *		C2SP signed notes: keys, checkpoints, signatures and cosignatures (README section 8).
 */
#ifndef GL_FORMAT_NOTE_H
#define GL_FORMAT_NOTE_H

#include "format/entry.h"

#define GL_ED25519_PUBLIC_SIZE 32
#define GL_ED25519_SIGNATURE_SIZE 64
#define GL_NOTE_MAX_SIZE ((size_t) 1 << 20)

#define GL_KEY_TYPE_ED25519 0x01
#define GL_KEY_TYPE_COSIGNATURE 0x04

typedef struct GlVerifierKey
{
	GlBytes		name;
	uint32_t	key_id;
	uint8_t		type;			/* GL_KEY_TYPE_* */
	uint8_t		public_key[GL_ED25519_PUBLIC_SIZE];
} GlVerifierKey;

typedef struct GlCheckpoint
{
	GlBytes		body;			/* the three lines with their line feeds: what is signed */
	GlBytes		signatures;		/* all signature lines */
	GlBytes		origin;
	uint64_t	size;
	GlHash		root;
} GlCheckpoint;

/* Standard alphabet with padding. Decoding is strict: no white space, no non-zero trailing bits. */
extern void gl_base64_append(GlBuffer *out, const void *data, size_t length);
/* Appends the decoded bytes; false (nothing appended) if malformed. */
extern bool gl_base64_decode(GlBuffer *out, const void *text, size_t length);

/* SHA256(name || 0x0A || type || key)[0:4] */
extern uint32_t gl_key_id(GlBytes name, uint8_t type, const void *public_key, size_t length);
/* Appends name+hex8+base64 (no line feed, no NUL). */
extern void gl_verifier_key_write(GlBuffer *out, GlBytes name, uint8_t type,
								  const uint8_t public_key[GL_ED25519_PUBLIC_SIZE]);
/* Types 0x01 and 0x04 only; recomputes the key id. `name` points into `text`. */
extern bool gl_verifier_key_read(GlBytes text, GlVerifierKey *key);

/* Appends origin NL size NL base64(root) NL */
extern void gl_checkpoint_body(GlBuffer *out, GlBytes origin, uint64_t size, const GlHash *root);
/*
 * Splits a signed note at its last blank line and reads its three body lines strictly (no extension lines, at least
 * one signature line; the origin has at most GL_ORIGIN_MAX_SIZE bytes). Verifies nothing. Pointers go into `note`.
 */
extern bool gl_checkpoint_read(GlBytes note, GlCheckpoint *checkpoint);
/* Appends one signature line: em dash, name, base64(key id || signature) */
extern void gl_note_signature_line(GlBuffer *out, GlBytes name, uint32_t key_id, const uint8_t *payload, size_t length);

typedef enum GlNoteVerdict
{
	GL_NOTE_VALID,				/* the key signed it */
	GL_NOTE_UNSIGNED,			/* no line by that (name, key id), or a log key of another origin */
	GL_NOTE_INVALID				/* a line by that key does not verify, or the note is malformed */
} GlNoteVerdict;

/*
 * Does `key` (log key 0x01 or cosigner 0x04) sign the checkpoint? `timestamp` (may be NULL) gets a cosignature's time;
 * whether that is recent enough is the caller's rule.
 */
extern GlNoteVerdict gl_checkpoint_verify(const GlCheckpoint *checkpoint, const GlVerifierKey *key,
										  uint64_t *timestamp);

/* Ed25519 through OpenSSL EVP; false also when OpenSSL fails. Leaves no OpenSSL error behind. */
extern bool gl_ed25519_verify(const uint8_t public_key[GL_ED25519_PUBLIC_SIZE], const void *message, size_t length,
							  const uint8_t signature[GL_ED25519_SIGNATURE_SIZE]);

#endif
