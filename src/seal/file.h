/*
 * file.h
 *		Files that are whole or not there.
 */
#ifndef GL_SEAL_FILE_H
#define GL_SEAL_FILE_H

#include "core/compat.h"

#include <sys/stat.h>

/*
 * Put this content in the place of `path`, by way of `temporary` in the same directory: durable on return, and at no moment
 * half there. The caller keeps others from doing the same. `what` names the file in an error.
 */
extern void gl_file_replace(const char *path, const char *temporary, const char *content, mode_t mode, const char *what);

#endif
