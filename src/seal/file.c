/*
 * file.c
 *		Files that are whole or not there.
 */
#include "seal/file.h"

#include <fcntl.h>
#include <unistd.h>

#include "storage/fd.h"

/*
 * The same as durable_rename() with two flushes instead of four: the old file need not be flushed, and the new one was. Every
 * signature waits for this.
 */
void
gl_file_replace(const char *path, const char *temporary, const char *content, mode_t mode, const char *what)
{
	ssize_t		length = (ssize_t) strlen(content);
	char	   *directory = pstrdup(path);
	int			fd;

	/* it may be left over from a crash */
	(void) unlink(temporary);
	fd = OpenTransientFilePerm(temporary, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY, mode);
	/* a short write sets no errno */
	errno = fd < 0 ? errno : ENOSPC;
	/* fchmod: whatever the umask is */
	if (fd < 0 || write(fd, content, length) != length || fchmod(fd, mode) != 0 || pg_fsync(fd) != 0 ||
		CloseTransientFile(fd) != 0 || rename(temporary, path) != 0)
	{
		int			reason = errno;

		/* half a file takes room where there is none */
		(void) unlink(temporary);
		errno = reason;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write %s file \"%s\": %m", what, path),
				 reason == ENOSPC || reason == EDQUOT ?
				 errhint("Check free disk space.") :
				 errhint("The user that runs the server must be able to create files in that directory.")));
	}
	get_parent_directory(directory);
	(void) fsync_fname_ext(directory, true, false, ERROR);
	pfree(directory);
}
