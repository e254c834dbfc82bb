/*
 * generate.c
 *		govledger.generate_key(): a new Ed25519 key in a file of its own.
 */
#include "core/compat.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "ledger/state.h"
#include "seal/key.h"
#include "seal/settings.h"

PG_FUNCTION_INFO_V1(gl_generate_key);

/* PEM of a new key in `pem` (freed by the caller), and its public half. False if OpenSSL fails. */
static bool
gl_key_make(BIO *pem, uint8_t public_key[GL_ED25519_PUBLIC_SIZE])
{
	size_t		length = GL_ED25519_PUBLIC_SIZE;
	EVP_PKEY   *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	bool		ok = pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, public_key, &length) == 1 &&
		PEM_write_bio_PKCS8PrivateKey(pem, pkey, NULL, NULL, 0, NULL, NULL) == 1;

	EVP_PKEY_free(pkey);
	return ok;
}

static void
gl_key_path_check(const char *path)
{
	char	   *directory;
	char		real_directory[PATH_MAX];
	char		real_data[PATH_MAX];

	if (!has_privs_of_role(GetUserId(), ROLE_PG_WRITE_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to write a file on the server"),
				 errhint("Only superusers and members of pg_write_server_files may make a key.")));
	if (!is_absolute_path(path) || path[strlen(path) - 1] == '/')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("the name of the key file must be an absolute path")));
	directory = pstrdup(path);
	get_parent_directory(directory);
	if (realpath(directory, real_directory) == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open directory \"%s\": %m", directory)));
	if (realpath(DataDir, real_data) == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open directory \"%s\": %m", DataDir)));
	if (path_is_prefix_of_path(real_data, real_directory))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("a signing key must not lie in the data directory"),
				 errdetail("Every backup and every standby would hold it, and a restore would bring its state file back."),
				 errhint("Name a file elsewhere on the server.")));
}

/* Write, flush, and leave no half file behind. `content` is wiped whatever happens. */
static void
gl_key_file_write(const char *path, char *content, size_t length)
{
	char	   *directory = pstrdup(path);
	int			fd = OpenTransientFilePerm(path, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY, S_IRUSR | S_IWUSR);
	bool		made = fd >= 0;
	bool		ok;
	int			problem;

	/* a short write sets no errno; the mode is not subject to the umask */
	errno = made ? ENOSPC : errno;
	ok = made && fchmod(fd, S_IRUSR | S_IWUSR) == 0 && write(fd, content, length) == (ssize_t) length &&
		pg_fsync(fd) == 0;
	problem = errno;
	OPENSSL_cleanse(content, length);
	if (!ok && made)
		(void) unlink(path);
	errno = problem;
	if (!ok)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write signing key file \"%s\": %m", path),
				 problem == EEXIST ? errhint("An existing file is never overwritten: choose another name.") : 0));
	CloseTransientFile(fd);
	get_parent_directory(directory);
	(void) fsync_fname_ext(directory, true, false, ERROR);
}

Datum
gl_generate_key(PG_FUNCTION_ARGS)
{
	char	   *path = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char		origin[GL_ORIGIN_MAX_SIZE + 1];
	uint8_t		public_key[GL_ED25519_PUBLIC_SIZE];
	BIO		   *pem;
	char	   *memory;
	char		content[512];
	long		length = -1;

	gl_key_path_check(path);
	gl_effective_origin(gl_ledger_state(), origin);

	ERR_clear_error();
	/* secure memory is wiped when freed */
	pem = BIO_new(BIO_s_secmem());
	if (pem != NULL && gl_key_make(pem, public_key))
	{
		length = BIO_get_mem_data(pem, &memory);
		if (length > 0 && length <= (long) sizeof(content))
			memcpy(content, memory, length);
	}
	BIO_free(pem);
	if (length <= 0 || length > (long) sizeof(content))
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("could not make an Ed25519 key"),
				 errdetail("OpenSSL says: %s.", gl_openssl_error())));
	ERR_clear_error();
	gl_key_file_write(path, content, (size_t) length);
	PG_RETURN_TEXT_P(cstring_to_text(gl_verifier_key_string(origin, public_key)));
}
