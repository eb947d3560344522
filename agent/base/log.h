/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Log lines on stderr: component token first; journald severity prefixes ("<3>") when stderr is the journal
 * ($JOURNAL_STREAM), plain otherwise. Repeats of one (component, format) are capped at 20 a minute with a count of what
 * was suppressed; of the format "%s", texts that differ by more than their digits are counted apart, 200 a minute in
 * all (a line about one device must not be lost in the flood of another's). Libraries never log; programs do,
 * once, at the place that decides.
 */
#ifndef COOLPLANE_BASE_LOG_H
#define COOLPLANE_BASE_LOG_H

enum log_level {
        LOG_LEVEL_ERROR = 3,
        LOG_LEVEL_WARNING = 4,
        LOG_LEVEL_NOTICE = 5,
        LOG_LEVEL_INFO = 6,
        LOG_LEVEL_DEBUG = 7
};

void log_set_level(enum log_level max);
void log_msg(enum log_level level, const char *component, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_error(c, ...) log_msg(LOG_LEVEL_ERROR, (c), __VA_ARGS__)
#define log_warning(c, ...) log_msg(LOG_LEVEL_WARNING, (c), __VA_ARGS__)
#define log_notice(c, ...) log_msg(LOG_LEVEL_NOTICE, (c), __VA_ARGS__)
#define log_info(c, ...) log_msg(LOG_LEVEL_INFO, (c), __VA_ARGS__)
#define log_debug(c, ...) log_msg(LOG_LEVEL_DEBUG, (c), __VA_ARGS__)

#endif
