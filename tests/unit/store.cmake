# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_store LINK coolplane_store coolplane_drivers)
coolplane_unit_test(test_store_upkeep LINK coolplane_store)
coolplane_unit_test(test_store_evidence LINK coolplane_store)
coolplane_unit_test(test_store_kill LINK coolplane_store)
coolplane_unit_test(test_dataset LINK coolplane_store)
coolplane_unit_test(test_daily LINK coolplane_store)
coolplane_unit_test(test_stray LINK coolplane_store)
coolplane_unit_test(test_csvlog LINK coolplane_store)
coolplane_unit_test(test_transcode LINK coolplane_store)
coolplane_unit_test(test_logtime LINK coolplane_store)
coolplane_unit_test(test_import LINK coolplane_store)
coolplane_unit_test(test_import_formats LINK coolplane_store)
coolplane_unit_test(test_import_doubts LINK coolplane_store)
coolplane_unit_test(test_import_lbnl LINK coolplane_store)
target_compile_definitions(test_import_lbnl PRIVATE COOLPLANE_SOURCE="${CMAKE_SOURCE_DIR}")
set(cli ${CMAKE_SOURCE_DIR}/agent/cli)
coolplane_unit_test(test_cli_db
  SOURCES ${cli}/cli.c ${cli}/db_args.c ${cli}/log_print.c ${cli}/log_site.c ${cli}/replay_origin.c ${cli}/verb_import.c ${cli}/verb_status.c
    ${cli}/verb_why.c ${cli}/why_step.c ${cli}/verb_db.c
  LINK coolplane_store coolplane_num)
coolplane_unit_test(test_evaluate_html
  SOURCES ${cli}/evaluate_html.c ${cli}/evaluate_html_points.c ${cli}/evaluate_html_time.c ${cli}/evaluate_golive.c ${cli}/evaluate_rank.c ${cli}/evaluate_standout.c
    ${cli}/evaluate_text.c ${cli}/savings_tell.c ${cli}/savings_periods.c ${cli}/savings_print.c ${cli}/stray.c ${cli}/cli.c
  LINK coolplane_gate coolplane_drivers coolplane_savings)
target_compile_definitions(test_evaluate_html PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
coolplane_unit_test(test_replay_origin SOURCES ${cli}/log_print.c ${cli}/replay_origin.c LINK coolplane_store coolplane_num)
