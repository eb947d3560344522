/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Verbs of coolplane-sim. Each takes its own argv (argv[0] = verb) and returns an exit code. */
#ifndef COOLPLANE_SIM_SERVE_H
#define COOLPLANE_SIM_SERVE_H

int verb_serve(int argc, char **argv);
int verb_compare(int argc, char **argv);
int verb_tune(int argc, char **argv);
int verb_scenario(int argc, char **argv);
int verb_step_response(int argc, char **argv);
int verb_explore(int argc, char **argv);
int verb_certify(int argc, char **argv);

#endif
