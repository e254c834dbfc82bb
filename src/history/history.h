/*
 * history.h
 *		Start-up of this feature; called by src/module.c alone.
 */
#ifndef GL_HISTORY_HISTORY_H
#define GL_HISTORY_HISTORY_H

/* Follow schema changes, and the sealer. */
extern void gl_history_init(void);

#endif
