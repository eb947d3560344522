# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_store LINK coolplane_store)
coolplane_unit_test(test_store_upkeep LINK coolplane_store)
coolplane_unit_test(test_store_kill LINK coolplane_store)
coolplane_unit_test(test_dataset LINK coolplane_store)
coolplane_unit_test(test_csvlog LINK coolplane_store)
coolplane_unit_test(test_logtime LINK coolplane_store)
coolplane_unit_test(test_import LINK coolplane_store)
