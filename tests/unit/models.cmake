# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_energy LINK coolplane_energy)
coolplane_unit_test(test_savings LINK coolplane_savings)
coolplane_unit_test(test_train LINK coolplane_train)
coolplane_unit_test(test_whatif LINK coolplane_train)
coolplane_unit_test(test_transfer LINK coolplane_train coolplane_num)
coolplane_unit_test(test_inlet_bend LINK coolplane_train)
coolplane_unit_test(test_calm LINK coolplane_train)
coolplane_unit_test(test_train_lbnl LINK coolplane_train)
target_compile_definitions(test_train_lbnl PRIVATE COOLPLANE_SOURCE="${CMAKE_SOURCE_DIR}")
coolplane_unit_test(test_cli_train
  SOURCES ${CMAKE_SOURCE_DIR}/agent/cli/cli.c ${CMAKE_SOURCE_DIR}/agent/cli/db_args.c ${CMAKE_SOURCE_DIR}/agent/cli/log_print.c
    ${CMAKE_SOURCE_DIR}/agent/cli/log_site.c ${CMAKE_SOURCE_DIR}/agent/cli/stray.c ${CMAKE_SOURCE_DIR}/agent/cli/verb_train.c
    ${CMAKE_SOURCE_DIR}/agent/cli/verb_model.c
  LINK coolplane_train)
target_compile_definitions(test_cli_train PRIVATE COOLPLANE_SOURCE="${CMAKE_SOURCE_DIR}")
