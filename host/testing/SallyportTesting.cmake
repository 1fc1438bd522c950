# The component `testing` of find_package(Sallyport).
find_dependency(Poco 1.11 COMPONENTS Foundation Util JSON Data DataSQLite Crypto)
find_dependency(SQLite3)
include("${CMAKE_CURRENT_LIST_DIR}/SallyportTestingTargets.cmake")
set(Sallyport_testing_FOUND TRUE)
